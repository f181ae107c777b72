#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include <temper/nn/embedding.hpp>

namespace temper::models {

/// The sizes of a Word2Vec.
struct Word2VecConfig {
  std::int64_t vocabulary = 0;
  std::int64_t width = 100;  ///< of a vector
};

/// Vectors of words, such that those of words which occur near each other have a large product: skip-gram. Parameters
/// words.weight and contexts.weight [vocabulary, width], both sparse: words begin as +-1/(2 width) uniformly, contexts
/// as 0. Source: Mikolov et al., "Distributed representations of words and phrases and their compositionality" (2013).
class Word2Vec : public nn::Module {
 public:
  /// Throws: ValueError unless both sizes are positive.
  explicit Word2Vec(const Word2VecConfig& config);

  /// The products of each word's vector with those of its contexts: words i64 [N], contexts i64 [N, K], result [N, K].
  /// Throws: ShapeError for other shapes; ValueError for a word outside the vocabulary.
  Tensor operator()(const Tensor& words, const Tensor& contexts) const;

  void members(nn::Members& members) const override;

  nn::Embedding words, contexts;
};

/// Negative sampling: the first context of each word is one that was seen, which the sigmoid of the product should say,
/// the others are not. scores [N, K] to the mean over the words of the sum over their contexts.
/// Source: Mikolov et al. (2013), equation 4. Throws: ShapeError unless scores is a matrix of at least one column.
Tensor negative_sampling_loss(const Tensor& scores);

/// The words whose vectors have the smallest angle to a word's, which is left out, with the cosines, the nearest first.
/// vectors f32 [vocabulary, width]. Throws: ShapeError unless vectors is a matrix; ValueError for a word outside it.
std::vector<std::pair<std::int64_t, float>> nearest(const Tensor& vectors, std::int64_t word, std::int64_t count);

/// The cosines of the angles between the vectors of some words, i64 [N]: [N, N].
Tensor cosines(const Tensor& vectors, const Tensor& words);

}  // namespace temper::models
