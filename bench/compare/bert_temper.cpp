// A BERT that learns masked words: norms after each part, GELU, the head tied to the embedding. Tokens of noise; three
// in twenty count.

#include "bench/compare/temper_side.hpp"

namespace {

using namespace temper;

class Block : public nn::Layer {
 public:
  Block(std::int64_t width, std::int64_t heads)
      : attention_(width, {.heads = heads}),
        norm1_(width),
        up_(width, 4 * width),
        down_(4 * width, width),
        norm2_(width) {}
  void members(nn::Members& m) const override {
    m("attention", attention_);
    m("norm1", norm1_);
    m("up", up_);
    m("down", down_);
    m("norm2", norm2_);
  }

 protected:
  Tensor forward(const Tensor& x) const override {
    const Tensor middle = norm1_(x + attention_(x));
    return norm2_(middle + down_(gelu(up_(middle))));
  }

 private:
  nn::MultiheadAttention attention_;
  nn::LayerNorm norm1_;
  nn::Linear up_, down_;
  nn::LayerNorm norm2_;
};

class Bert : public nn::Layer {
 public:
  explicit Bert(const workload::Options& o)
      : tokens_(o.vocabulary, o.width),
        positions_(o.context, o.width),
        norm_(o.width),
        transform_(o.width, o.width),
        head_norm_(o.width) {
    for (long i = 0; i < o.layers; ++i) blocks_.emplace_back(o.width, o.heads);
  }
  void members(nn::Members& m) const override {
    m("tokens", tokens_);
    m("positions", positions_);
    m("norm", norm_);
    m("blocks", blocks_);
    m("transform", transform_);
    m("head_norm", head_norm_);
  }

 protected:
  Tensor forward(const Tensor& ids) const override {
    Tensor x = norm_(tokens_(ids) + positions_.weight);
    for (const Block& block : blocks_) x = block(x);
    return linear(head_norm_(gelu(transform_(x))), tokens_.weight, Tensor());
  }

 private:
  nn::Embedding tokens_, positions_;
  nn::LayerNorm norm_;
  std::vector<Block> blocks_;
  nn::Linear transform_;
  nn::LayerNorm head_norm_;
};

}  // namespace

int main(int argc, char** argv) {
  return workload::guarded(argc, argv, [](const workload::Options& options) {
    const Bert model(options);
    workload::run_classifier(options, workload::transformer_flops(options, false), model, workload::make_ids(options),
                             options.vocabulary, {options.batch, options.context}, 3);
  });
}
