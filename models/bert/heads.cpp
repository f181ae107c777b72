#include <temper/models/bert/heads.hpp>

#include <algorithm>

#include <temper/autograd/ops/activation.hpp>
#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/arrange.hpp>
#include <temper/autograd/ops/cast.hpp>
#include <temper/autograd/ops/embedding.hpp>
#include <temper/autograd/ops/loss.hpp>
#include <temper/autograd/ops/matmul.hpp>
#include <temper/autograd/ops/reduce.hpp>
#include <temper/autograd/ops/shape.hpp>

#include "framework/core/format_internal.hpp"
#include "models/bert/init_internal.hpp"

namespace temper::models {

namespace {

void initialize(const nn::Linear& layer, const BertConfig& config) {
  for (const Parameter& parameter : layer.parameters()) initialize_bert(parameter, config.init_deviation);
}

}  // namespace

Tensor mean_of_tokens(const Tensor& features, const Tensor& mask) {
  if (!mask.defined()) return to(mean(features, 1), Dtype::f32);
  const Tensor visible = to(mask, Dtype::f32), count = sum(visible, 1, {.keepdim = true}),
               weights = visible / maximum(count, scalar(1.0f));
  return squeeze(matmul(unsqueeze(weights, 1), to(features, Dtype::f32)), 1);
}

BertForMaskedLM::BertForMaskedLM(const BertConfig& config)
    : bert(config),
      transform(config.width, config.width),
      norm(config.width, {.eps = config.eps}),
      bias(zeros({config.vocabulary}), Role::bias) {
  initialize(transform, config);
}

Tensor BertForMaskedLM::decode(const Tensor& features) const {
  return linear(norm(transform.gelu(features)), bert.token_embedding.weight, bias);
}

Tensor BertForMaskedLM::operator()(const Tensor& tokens, const BertInputs& inputs) const {
  return decode(bert(tokens, inputs));
}

Tensor BertForMaskedLM::at(const Tensor& positions, const Tensor& tokens, const BertInputs& inputs) const {
  const Tensor features = bert(tokens, inputs);
  const Tensor rows = reshape(features, {tokens.numel(), features.size(2)});
  // embedding() gathers rows of a matrix.
  return decode(embedding(positions, rows));
}

void BertForMaskedLM::members(nn::Members& members) const {
  members("bert", bert);
  members("transform", transform);
  members("norm", norm);
  members("bias", bias);
}

BertForClassification::BertForClassification(const BertConfig& config, std::int64_t classes, BertPooling pooling)
    : bert(config),
      pooler(config.width, config.width),
      classifier(config.width, classes),
      pooling_(pooling),
      dropout_(config.dropout) {
  initialize(pooler, config);
  initialize(classifier, config);
}

Tensor BertForClassification::operator()(const Tensor& tokens, const BertInputs& inputs) const {
  const Tensor features = bert(tokens, inputs);
  if (pooling_ == BertPooling::mean) return classifier(dropout_(mean_of_tokens(features, inputs.mask)));
  const Tensor first = reshape(slice(features, 1, 0, 1), {features.size(0), features.size(2)});
  return classifier(dropout_(temper::tanh(pooler(first))));
}

void BertForClassification::members(nn::Members& members) const {
  members("bert", bert);
  if (pooling_ == BertPooling::first) members("pooler", pooler);
  members("classifier", classifier);
}

BertForQuestionAnswering::BertForQuestionAnswering(const BertConfig& config) : bert(config), outputs(config.width, 2) {
  initialize(outputs, config);
}

SpanLogits BertForQuestionAnswering::operator()(const Tensor& tokens, const BertInputs& inputs) const {
  const Tensor logits = permute(outputs(bert(tokens, inputs)), {2, 0, 1});
  const auto of = [&](std::int64_t i) { return reshape(slice(logits, 0, i, i + 1), tokens.shape()); };
  return {of(0), of(1)};
}

void BertForQuestionAnswering::members(nn::Members& members) const {
  members("bert", bert);
  members("outputs", outputs);
}

Tensor span_loss(const SpanLogits& logits, const Tensor& starts, const Tensor& ends) {
  return 0.5 * (cross_entropy(logits.starts, starts) + cross_entropy(logits.ends, ends));
}

std::vector<Span> best_spans(const SpanLogits& logits, const Tensor& allowed, std::int64_t longest) {
  const auto& [starts, ends] = logits;
  if (!(starts.shape() == ends.shape()) || !(starts.shape() == allowed.shape()) || starts.rank() != 2) {
    fail<ShapeError>("best_spans: starts {}, ends {} and allowed {}, expected [N, T] each", starts.shape(),
                     ends.shape(), allowed.shape());
  }
  if (longest < 1) fail<ValueError>("best_spans: longest {}, expected at least 1", longest);
  const std::int64_t size = starts.size(1);
  const Tensor wide_starts = to(starts, Dtype::f32), wide_ends = to(ends, Dtype::f32);
  const float *start = wide_starts.data<float>(), *end = wide_ends.data<float>();
  const bool* ok = allowed.data<bool>();
  std::vector<Span> spans;
  for (std::int64_t n = 0; n < starts.size(0); ++n, start += size, end += size, ok += size) {
    Span best{-1, -1};
    for (std::int64_t s = 0; s < size; ++s) {
      for (std::int64_t e = s; e < std::min(size, s + longest); ++e) {
        if (!ok[s] || !ok[e]) continue;
        if (best.start < 0 || start[s] + end[e] > start[best.start] + end[best.end]) best = {s, e};
      }
    }
    if (best.start < 0) fail<ValueError>("best_spans: text {} has no allowed token", n);
    spans.push_back(best);
  }
  return spans;
}

}  // namespace temper::models
