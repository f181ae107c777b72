// A GPT: learned positions, norms before each part, GELU, the head tied to the embedding. Tokens of noise.

#include "bench/compare/temper_side.hpp"

namespace {

using namespace temper;

class Block : public nn::Layer {
 public:
  Block(std::int64_t width, std::int64_t heads)
      : norm1_(width),
        attention_(width, {.heads = heads, .causal = true}),
        norm2_(width),
        up_(width, 4 * width),
        down_(4 * width, width) {}
  void members(nn::Members& m) const override {
    m("norm1", norm1_);
    m("attention", attention_);
    m("norm2", norm2_);
    m("up", up_);
    m("down", down_);
  }

 protected:
  Tensor forward(const Tensor& x) const override {
    const Tensor middle = x + attention_(norm1_(x));
    return middle + down_(gelu(up_(norm2_(middle)), GeluForm::tanh));
  }

 private:
  nn::LayerNorm norm1_;
  nn::MultiheadAttention attention_;
  nn::LayerNorm norm2_;
  nn::Linear up_, down_;
};

class Gpt : public nn::Layer {
 public:
  explicit Gpt(const workload::Options& o)
      : tokens_(o.vocabulary, o.width), positions_(o.context, o.width), norm_(o.width), recompute_(o.recompute) {
    for (long i = 0; i < o.layers; ++i) blocks_.emplace_back(o.width, o.heads);
  }
  void members(nn::Members& m) const override {
    m("tokens", tokens_);
    m("positions", positions_);
    m("blocks", blocks_);
    m("norm", norm_);
  }

 protected:
  Tensor forward(const Tensor& ids) const override {
    Tensor x = tokens_(ids) + positions_.weight;
    for (const Block& block : blocks_) x = recompute_ ? recompute(block, x) : block(x);
    return linear(norm_(x), tokens_.weight, Tensor());
  }

 private:
  nn::Embedding tokens_, positions_;
  std::vector<Block> blocks_;
  nn::LayerNorm norm_;
  bool recompute_;
};

}  // namespace

int main(int argc, char** argv) {
  return workload::guarded(argc, argv, [](const workload::Options& options) {
    const Gpt model(options);
    const auto ids = workload::make_ids(options);
    workload::run_classifier(options, workload::transformer_flops(options, true), model, ids, options.vocabulary,
                             {options.batch, options.context});
  });
}
