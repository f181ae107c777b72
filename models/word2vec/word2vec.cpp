#include <temper/models/word2vec/word2vec.hpp>

#include <algorithm>

#include <temper/autograd/ops.hpp>
#include <temper/autograd/tape.hpp>

#include "framework/core/format_internal.hpp"

namespace temper::models {

Word2Vec::Word2Vec(const Word2VecConfig& config)
    : words(config.vocabulary, config.width, {.sparse = true}),
      contexts(config.vocabulary, config.width, {.sparse = true}) {
  const float bound = 0.5f / static_cast<float>(config.width);
  words.weight.set_value(uniform(words.weight.shape(), -bound, bound));
  contexts.weight.set_value(zeros(contexts.weight.shape()));
}

void Word2Vec::members(nn::Members& members) const {
  members("words", words);
  members("contexts", contexts);
}

Tensor Word2Vec::operator()(const Tensor& ids, const Tensor& context_ids) const {
  if (ids.rank() != 1 || context_ids.rank() != 2 || ids.size(0) != context_ids.size(0)) {
    fail<ShapeError>("Word2Vec: words {} and contexts {}, expected [N] and [N, K]", ids.shape(), context_ids.shape());
  }
  const Tensor vectors = words(ids), others = contexts(context_ids);
  return sum(reshape(vectors, {ids.size(0), 1, vectors.size(1)}) * others, {2});
}

Tensor negative_sampling_loss(const Tensor& scores) {
  if (scores.rank() != 2 || scores.size(1) < 1) {
    fail<ShapeError>("negative_sampling_loss: scores {}, expected [N, K]", scores.shape());
  }
  Tensor seen = zeros(scores.shape());
  for (std::int64_t i = 0; i < scores.size(0); ++i) seen.mutable_data<float>()[i * scores.size(1)] = 1.0f;
  return bce_with_logits(to(scores, Dtype::f32), seen) * static_cast<float>(scores.size(1));
}

namespace {

/// The rows with a length of 1, but for those of nothing but zeros.
Tensor directions(const Tensor& vectors) {
  if (vectors.rank() != 2) fail<ShapeError>("nearest: vectors {}, expected [vocabulary, width]", vectors.shape());
  const NoTape unrecorded;
  return normalize(to(vectors, Dtype::f32));
}

}  // namespace

std::vector<std::pair<std::int64_t, float>> nearest(const Tensor& vectors, std::int64_t word, std::int64_t count) {
  const NoTape unrecorded;
  const Tensor unit = directions(vectors);
  if (word < 0 || word >= unit.size(0)) {
    fail<ValueError>("nearest: word {} is outside the {} of the vocabulary", word, unit.size(0));
  }
  const Tensor products = matmul(unit, reshape(unit.rows(word, word + 1), {unit.size(1), 1}));
  std::vector<std::pair<std::int64_t, float>> all;
  for (std::int64_t i = 0; i < unit.size(0); ++i) {
    if (i != word) all.emplace_back(i, products.data<float>()[i]);
  }
  const auto kept = std::clamp<std::int64_t>(count, 0, static_cast<std::int64_t>(all.size()));
  std::partial_sort(all.begin(), all.begin() + kept, all.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  all.resize(static_cast<std::size_t>(kept));
  return all;
}

Tensor cosines(const Tensor& vectors, const Tensor& words) {
  const NoTape unrecorded;
  const Tensor chosen = directions(embedding(words, vectors));
  return matmul(chosen, chosen, {.transpose_b = true});
}

}  // namespace temper::models
