#pragma once

#include <cstdint>
#include <string>

#include <temper/nn/module.hpp>

// Embeddings of numbers: x [N, features] to [N, features, width], each feature by parameters of its own.
// Source: Gorishniy, Rubachev, Babenko, "On embeddings for numerical features in tabular deep learning" (2022).

namespace temper::models {

/// A number as its place among bins, edges being quantiles of the training rows: 1 for each bin below it, the fraction
/// of its own bin, 0 for those above; then a linear layer for each feature, beside a linear layer of the number itself.
/// The first bin goes on below its lower edge, the last one above its upper edge. The weights of the bins begin at
/// zero, so that training starts from the linear layer of the number (version "B" of the authors' package).
class PiecewiseLinearEmbedding : public nn::Layer {
 public:
  /// Throws: ValueError unless all sizes are positive.
  PiecewiseLinearEmbedding(std::int64_t features, std::int64_t bins, std::int64_t width);

  /// Sets the edges to the quantiles of training rows, f32 [rows, features]. Equal quantiles make one edge, so a
  /// feature of few different numbers has fewer bins. Call it before training; the edges are saved with the model.
  /// Throws: ShapeError for another number of features, or no rows.
  void fit(const Tensor& numbers);
  /// The places among the bins, [N, features, bins].
  Tensor encode(const Tensor& x) const;

  void members(nn::Members& members) const override;
  std::string description() const override;

  Parameter weight;         ///< [features, bins, width]
  Parameter linear_weight;  ///< [features, width]
  Parameter bias;           ///< [features, width]

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  // [features, bins]: place = min(max((x - edge) * slope, low), high). Unused bins have slope 0.
  Tensor edge_, slope_, low_, high_;
};

/// sin and cos of a number times learned frequencies, then for each feature a linear layer and ReLU ("PLR").
class PeriodicEmbedding : public nn::Layer {
 public:
  /// Initial frequencies are normal with this deviation, cut off at three of them; the result depends on it much.
  /// Throws: ValueError unless all are positive.
  PeriodicEmbedding(std::int64_t features, std::int64_t frequencies, std::int64_t width, double deviation);

  void members(nn::Members& members) const override;
  std::string description() const override;

  Parameter frequency;  ///< [features, frequencies]
  Parameter weight;     ///< [features, 2 * frequencies, width]
  Parameter bias;       ///< [features, width]

 protected:
  Tensor forward(const Tensor& x) const override;
};

}  // namespace temper::models
