// A BERT for masked language modelling on random tokens, of which 15 % have a target: post-norm, GELU, the head tied to
// the embedding.

#include <temper/models/bert/bert.hpp>

#include "bench/compare/temper_side.hpp"

namespace {

using namespace temper;

/// models::BertForMaskedLM without the bias of the decoder.
class MaskedLM : public nn::Layer {
 public:
  explicit MaskedLM(const workload::Options& o)
      : bert_({.vocabulary = o.vocabulary,
               .positions = o.context,
               .token_types = 1,
               .layers = o.layers,
               .heads = o.heads,
               .width = o.width,
               .hidden = 4 * o.width,
               .dropout = 0.0,
               .eps = 1e-5f}),
        transform_(o.width, o.width),
        norm_(o.width) {}
  void members(nn::Members& m) const override {
    m("bert", bert_);
    m("transform", transform_);
    m("norm", norm_);
  }

 protected:
  Tensor forward(const Tensor& ids) const override {
    return linear(norm_(transform_.gelu(bert_(ids))), bert_.token_embedding.weight);
  }

 private:
  models::Bert bert_;
  nn::Linear transform_;
  nn::LayerNorm norm_;
};

}  // namespace

int main(int argc, char** argv) {
  return workload::guarded(argc, argv, [](const workload::Options& options) {
    const MaskedLM model(options);
    workload::run_classifier(options, workload::transformer_flops(options, false), model, workload::make_ids(options),
                             options.vocabulary, {options.batch, options.context}, 3);
  });
}
