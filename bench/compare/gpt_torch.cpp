// The LibTorch twin of gpt_temper.cpp.

#include "bench/compare/torch_side.hpp"

namespace {

using namespace torch;

struct BlockImpl : nn::Module {
  BlockImpl(long width, long number_of_heads) : heads(number_of_heads) {
    norm1 = register_module("norm1", nn::LayerNorm(nn::LayerNormOptions({width})));
    in = register_module("in", nn::Linear(width, 3 * width));
    out = register_module("out", nn::Linear(width, width));
    norm2 = register_module("norm2", nn::LayerNorm(nn::LayerNormOptions({width})));
    up = register_module("up", nn::Linear(width, 4 * width));
    down = register_module("down", nn::Linear(4 * width, width));
  }
  Tensor forward(const Tensor& x, const Tensor& mask) {
    const Tensor middle = x + out(workload::attention(in(norm1(x)), heads, mask));
    return middle + down(at::gelu(up(norm2(middle)), "tanh"));
  }
  long heads;
  nn::LayerNorm norm1{nullptr}, norm2{nullptr};
  nn::Linear in{nullptr}, out{nullptr}, up{nullptr}, down{nullptr};
};
TORCH_MODULE(Block);

struct GptImpl : nn::Module {
  explicit GptImpl(const workload::Options& o) {
    tokens = register_module("tokens", nn::Embedding(o.vocabulary, o.width));
    positions = register_module("positions", nn::Embedding(o.context, o.width));
    for (long i = 0; i < o.layers; ++i) blocks->push_back(Block(o.width, o.heads));
    register_module("blocks", blocks);
    norm = register_module("norm", nn::LayerNorm(nn::LayerNormOptions({o.width})));
    mask = torch::full({o.context, o.context}, -INFINITY).triu(1);
  }
  Tensor forward(const Tensor& ids) {
    Tensor x = tokens(ids) + positions->weight;
    for (const auto& block : *blocks) x = block->as<Block>()->forward(x, mask);
    return nn::functional::linear(norm(x), tokens->weight);
  }
  nn::Embedding tokens{nullptr}, positions{nullptr};
  nn::ModuleList blocks;
  nn::LayerNorm norm{nullptr};
  Tensor mask;
};
TORCH_MODULE(Gpt);

}  // namespace

int main(int argc, char** argv) {
  return workload::guarded(argc, argv, [](const workload::Options& options) {
    workload::set_threads();
    Gpt model(options);
    workload::run_classifier(options, 0, model, workload::make_ids(options), options.vocabulary,
                             {options.batch, options.context});
  });
}
