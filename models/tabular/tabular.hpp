#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <temper/nn/layers.hpp>

namespace temper::models {

/// How a network takes numbers: as they are, or embedded (see numeric_embedding.hpp).
enum class NumericEmbedding { none, piecewise, periodic };

/// Sizes of a network for tables.
struct TabularConfig {
  std::int64_t numbers = 0;                   ///< columns of numbers
  std::vector<std::int64_t> categories = {};  ///< for each column of categories, how many there are
  std::int64_t outputs = 1;                   ///< classes; 1 for a regression

  NumericEmbedding embedding = NumericEmbedding::piecewise;  ///< of numbers
  std::int64_t embedding_width = 16;                         ///< features of the embedding of a number or a category
  std::int64_t bins = 48;                                    ///< of the piecewise embedding
  std::int64_t frequencies = 48;                             ///< of the periodic embedding
  double frequency_deviation = 0.01;                         ///< of the initial frequencies of the periodic embedding

  std::int64_t members = 16;  ///< of the ensemble; 1: a plain multilayer perceptron
  std::int64_t blocks = 2;    ///< linear layers with ReLU and dropout
  std::int64_t width = 256;   ///< their features
  double dropout = 0.1;       ///< of their outputs, in training
};

/// Linear layers of several members with one weight: y[n, i] = ((x[n, i] * r[i]) W^T) * s[i] + b[i], where the vectors
/// r, s and b belong to member i. x is [N, members, in], or [N, 1, in] for the same input to all; y is [N, members,
/// out]. A single member has no r and s. Source: Wen, Tran, Ba, "BatchEnsemble" (2020).
class EnsembleLinear : public nn::Layer {
 public:
  /// r and s begin at 1. Throws: ValueError unless all sizes are positive.
  EnsembleLinear(std::int64_t in, std::int64_t out, std::int64_t members);

  void members(nn::Members& members) const override;
  std::string description() const override;

  Parameter weight;  ///< [out, in]
  Parameter r, s;    ///< [members, in] and [members, out]; undefined for a single member
  Parameter bias;    ///< [members, out], equal at first

 protected:
  Tensor forward(const Tensor& x) const override;
};

/// A network for tables: embeddings of numbers and categories, then TabM, an ensemble of multilayer perceptrons that
/// share their weights and are trained together. They differ by the vectors of EnsembleLinear, of which the first one
/// is random at first, and by their last layers. With one member it is a plain multilayer perceptron. Source:
/// Gorishniy, Kotelnikov, Babenko, "TabM: advancing tabular deep learning with parameter-efficient ensembling" (2024).
class Tabular : public nn::Module {
 public:
  /// Throws: ValueError for sizes below 1, dropout outside [0, 1), or a table without columns.
  explicit Tabular(const TabularConfig& config);

  /// Sets the bins of the piecewise embedding by training rows, f32 [rows, numbers]; does nothing without one.
  void fit(const Tensor& numbers);

  /// Outputs [N, members, outputs] of numbers f32 [N, numbers] and categories i64 [N, columns], each from 0 to below
  /// its column's size. Throws: ShapeError for other shapes; ValueError for a category that is none.
  Tensor operator()(const Tensor& numbers, const Tensor& categories) const;
  /// The mean of the members' losses: cross entropy with classes i64 [N], or the squared error with f32 [N].
  Tensor loss(const Tensor& outputs, const Tensor& target) const;
  /// What the members predict on average: probabilities [N, outputs], or numbers [N] for a regression. Unrecorded.
  Tensor predict(const Tensor& numbers, const Tensor& categories) const;

  void members(nn::Members& members) const override;
  std::string description() const override;
  const TabularConfig& config() const { return config_; }

 private:
  Tensor features(const Tensor& numbers, const Tensor& categories) const;

  TabularConfig config_;
  std::unique_ptr<nn::Layer> numeric_;          // null without
  std::unique_ptr<nn::Embedding> categorical_;  // of all columns, one after the other; null without
  Tensor first_;                                // [columns] i64, where a column's categories begin in it
  std::vector<EnsembleLinear> blocks_;
  Parameter head_weight_, head_bias_;  // [members, width, outputs], [members, outputs]
  nn::Dropout dropout_;
};

}  // namespace temper::models
