// The LibTorch twin of bert_temper.cpp.

#include "bench/compare/torch_side.hpp"

namespace {

using namespace torch;

struct BlockImpl : nn::Module {
  BlockImpl(long width, long number_of_heads) : heads(number_of_heads) {
    in = register_module("in", nn::Linear(width, 3 * width));
    out = register_module("out", nn::Linear(width, width));
    norm1 = register_module("norm1", nn::LayerNorm(nn::LayerNormOptions({width})));
    up = register_module("up", nn::Linear(width, 4 * width));
    down = register_module("down", nn::Linear(4 * width, width));
    norm2 = register_module("norm2", nn::LayerNorm(nn::LayerNormOptions({width})));
  }
  Tensor forward(const Tensor& x) {
    const Tensor middle = norm1(x + out(workload::attention(in(x), heads, {})));
    return norm2(middle + down(at::gelu(up(middle))));
  }
  long heads;
  nn::LayerNorm norm1{nullptr}, norm2{nullptr};
  nn::Linear in{nullptr}, out{nullptr}, up{nullptr}, down{nullptr};
};
TORCH_MODULE(Block);

struct BertImpl : nn::Module {
  explicit BertImpl(const workload::Options& o) {
    tokens = register_module("tokens", nn::Embedding(o.vocabulary, o.width));
    positions = register_module("positions", nn::Embedding(o.context, o.width));
    types = register_module("types", nn::Embedding(1, o.width));
    norm = register_module("norm", nn::LayerNorm(nn::LayerNormOptions({o.width})));
    for (long i = 0; i < o.layers; ++i) blocks->push_back(Block(o.width, o.heads));
    register_module("blocks", blocks);
    transform = register_module("transform", nn::Linear(o.width, o.width));
    head_norm = register_module("head_norm", nn::LayerNorm(nn::LayerNormOptions({o.width})));
  }
  Tensor forward(const Tensor& ids) {
    Tensor x = norm(tokens(ids) + positions->weight + types->weight);
    for (const auto& block : *blocks) x = block->as<Block>()->forward(x);
    return nn::functional::linear(head_norm(at::gelu(transform(x))), tokens->weight);
  }
  nn::Embedding tokens{nullptr}, positions{nullptr}, types{nullptr};
  nn::LayerNorm norm{nullptr}, head_norm{nullptr};
  nn::ModuleList blocks;
  nn::Linear transform{nullptr};
};
TORCH_MODULE(Bert);

}  // namespace

int main(int argc, char** argv) {
  return workload::guarded(argc, argv, [](const workload::Options& options) {
    workload::set_threads();
    Bert model(options);
    workload::run_classifier(options, 0, model, workload::make_ids(options), options.vocabulary,
                             {options.batch, options.context}, 3);
  });
}
