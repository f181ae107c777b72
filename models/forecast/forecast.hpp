#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <temper/nn/layers.hpp>

namespace temper::models {

/// What reads the past of a series.
enum class ForecastNetwork { lstm, gru, convolution };

/// Sizes of a network that forecasts a series.
struct ForecastConfig {
  ForecastNetwork network = ForecastNetwork::lstm;  ///< what reads the past
  std::int64_t lookback = 104;                      ///< steps that it sees
  std::int64_t horizon = 26;                        ///< steps that it forecasts
  std::int64_t width = 48;                          ///< hidden features or channels
  /// Of convolutions, each with twice the distance of the one before; of a recurrent network. 0: as many convolutions
  /// as see the whole lookback, and one recurrent layer.
  std::int64_t layers = 0;
  std::int64_t kernel = 3;  ///< of convolutions
  double dropout = 0.0;     ///< in the convolutions' blocks and between recurrent layers
};

/// A residual block of two causal convolutions with ReLU and dropout: x [N, T, in] -> [N, T, out], where step t depends
/// on steps up to t. As in the paper, but without weight normalization. Source: Bai, Kolter, Koltun, "An empirical
/// evaluation of generic convolutional and recurrent networks for sequence modeling" (2018).
class TemporalBlock : public nn::Layer {
 public:
  /// Throws: ValueError for sizes below 1, or dropout outside [0, 1).
  TemporalBlock(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t dilation, double dropout);

  void members(nn::Members& members) const override;
  std::string description() const override { return "TemporalBlock"; }

  nn::Conv1d first, second;              ///< with the same dilation
  std::unique_ptr<nn::Conv1d> shortcut;  ///< null where in and out are equal

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  nn::Dropout dropout_;
};

/// Forecasts a series from its past: x [N, lookback, 1] -> [N, horizon, 1]. It sees the differences from the last step
/// and forecasts those, so that a level it was not trained on does not matter. Source of the differences: Zeng et al.,
/// "Are transformers effective for time series forecasting?" (2022), NLinear.
class Forecast : public nn::Layer {
 public:
  /// Throws: ValueError for sizes below 1 (layers below 0), or dropout outside [0, 1).
  explicit Forecast(const ForecastConfig& config);

  void members(nn::Members& members) const override;
  std::string description() const override;
  const ForecastConfig& config() const { return config_; }

 protected:
  /// Throws: ShapeError unless x is [N, lookback, 1].
  Tensor forward(const Tensor& x) const override;

 private:
  ForecastConfig config_;
  std::unique_ptr<nn::RecurrentNetwork> recurrent_;  // null with convolutions
  std::vector<TemporalBlock> blocks_;
  nn::Linear head_;
};

/// The seasonal naive forecast: what was one season before. x [N, lookback, 1] -> [N, horizon, 1].
/// Throws: ShapeError for another shape; ValueError unless the season is from 1 to lookback.
Tensor seasonal_naive(const Tensor& x, std::int64_t horizon, std::int64_t season);

/// The mean absolute error of the seasonal naive forecast of one season over a series: what MASE divides by.
/// Throws: ValueError unless the series is longer than the season, and the error above 0.
/// Source: Hyndman, Koehler, "Another look at measures of forecast accuracy" (2006).
double seasonal_error(std::span<const float> series, std::int64_t season);

}  // namespace temper::models
