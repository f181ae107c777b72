#include <temper/models/tabular/numeric_embedding.hpp>

#include <algorithm>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include <temper/temper.hpp>

namespace temper::models {

namespace {

void check_positive(const char* layer, const char* what, double size) {
  if (!(size > 0))
    throw ValueError(formatted("{}: {} is {}, expected above 0", layer, what, size));
}

void check_features(const char* layer, const Tensor& x, std::int64_t features) {
  if (x.rank() != 2 || x.size(1) != features) {
    throw ShapeError(std::string(layer) + ": numbers " + to_string(x.shape()) + ", expected [N, " +
                     std::to_string(features) + "]");
  }
}

/// A linear layer for each feature: x [N, features, in], weight [features, in, out] -> [N, features, out].
Tensor each_linear(const Tensor& x, const Tensor& weight) {
  return transpose(matmul(transpose(x, 0, 1), weight), 0, 1);
}

/// Quantiles at equal distances, `bins` + 1 of them, each value once. Sorts the values.
std::vector<float> edges_of(std::vector<float>& values, std::int64_t bins) {
  std::ranges::sort(values);
  std::vector<float> edges;
  for (std::int64_t i = 0; i <= bins; ++i) {
    const double at = static_cast<double>(i) * static_cast<double>(values.size() - 1) / static_cast<double>(bins);
    const auto below = static_cast<std::size_t>(at);
    const double next = values[std::min(below + 1, values.size() - 1)], part = at - static_cast<double>(below);
    edges.push_back(static_cast<float>(values[below] + part * (next - values[below])));
  }
  edges.erase(std::unique(edges.begin(), edges.end()), edges.end());
  return edges;
}

}  // namespace

PiecewiseLinearEmbedding::PiecewiseLinearEmbedding(std::int64_t features, std::int64_t bins, std::int64_t width) {
  check_positive("PiecewiseLinearEmbedding", "features", static_cast<double>(features));
  check_positive("PiecewiseLinearEmbedding", "bins", static_cast<double>(bins));
  check_positive("PiecewiseLinearEmbedding", "width", static_cast<double>(width));
  weight = Parameter(zeros({features, bins, width}), Role::embedding);
  linear_weight = Parameter(nn::fan_in_uniform({features, width}, width), Role::embedding);
  bias = Parameter(nn::fan_in_uniform({features, width}, width), Role::bias);
  for (Tensor* buffer : {&edge_, &slope_, &low_, &high_}) *buffer = zeros({features, bins});
}

void PiecewiseLinearEmbedding::fit(const Tensor& numbers) {
  const std::int64_t features = weight.shape()[0], bins = weight.shape()[1];
  check_features("PiecewiseLinearEmbedding::fit", numbers, features);
  const std::int64_t rows = numbers.size(0);
  if (rows == 0) throw ShapeError("PiecewiseLinearEmbedding::fit: no rows to take quantiles of");
  constexpr float unbounded = std::numeric_limits<float>::max();
  for (Tensor* buffer : {&edge_, &slope_, &low_, &high_}) buffer->fill(0.0f);
  std::vector<float> values(static_cast<std::size_t>(rows));
  for (std::int64_t f = 0; f < features; ++f) {
    for (std::int64_t row = 0; row < rows; ++row) {
      values[static_cast<std::size_t>(row)] = numbers.data<float>()[row * features + f];
    }
    const std::vector<float> edges = edges_of(values, bins);
    const std::int64_t used = std::ssize(edges) - 1;
    for (std::int64_t bin = 0; bin < used; ++bin) {
      const float lower = edges[static_cast<std::size_t>(bin)], upper = edges[static_cast<std::size_t>(bin + 1)];
      const std::int64_t at = f * bins + bin;
      edge_.mutable_data<float>()[at] = lower;
      slope_.mutable_data<float>()[at] = 1.0f / (upper - lower);
      low_.mutable_data<float>()[at] = bin == 0 ? -unbounded : 0.0f;
      high_.mutable_data<float>()[at] = bin == used - 1 ? unbounded : 1.0f;
    }
  }
}

Tensor PiecewiseLinearEmbedding::encode(const Tensor& x) const {
  check_features("PiecewiseLinearEmbedding", x, weight.shape()[0]);
  return minimum(maximum((unsqueeze(x, -1) - edge_) * slope_, low_), high_);
}

Tensor PiecewiseLinearEmbedding::forward(const Tensor& x) const {
  return unsqueeze(x, -1) * linear_weight + bias + each_linear(encode(x), weight);
}

void PiecewiseLinearEmbedding::members(nn::Members& m) const {
  m("weight", weight);
  m("linear_weight", linear_weight);
  m("bias", bias);
  m("edge", edge_);
  m("slope", slope_);
  m("low", low_);
  m("high", high_);
}

std::string PiecewiseLinearEmbedding::description() const {
  const Shape& shape = weight.shape();
  return "PiecewiseLinearEmbedding(" + std::to_string(shape[0]) + " features, " + std::to_string(shape[1]) + " bins, " +
         std::to_string(shape[2]) + ")";
}

PeriodicEmbedding::PeriodicEmbedding(std::int64_t features, std::int64_t frequencies, std::int64_t width,
                                     double deviation) {
  check_positive("PeriodicEmbedding", "features", static_cast<double>(features));
  check_positive("PeriodicEmbedding", "frequencies", static_cast<double>(frequencies));
  check_positive("PeriodicEmbedding", "width", static_cast<double>(width));
  check_positive("PeriodicEmbedding", "deviation", deviation);
  const auto sigma = static_cast<float>(deviation);
  frequency = Parameter(
      nn::truncated_normal({features, frequencies}, {.deviation = sigma, .low = -3 * sigma, .high = 3 * sigma}),
      Role::bias);  // frequencies do not decay
  weight = Parameter(nn::fan_in_uniform({features, 2 * frequencies, width}, 2 * frequencies), Role::embedding);
  bias = Parameter(nn::fan_in_uniform({features, width}, 2 * frequencies), Role::bias);
}

Tensor PeriodicEmbedding::forward(const Tensor& x) const {
  check_features("PeriodicEmbedding", x, weight.shape()[0]);
  const Tensor angle = unsqueeze(x, -1) * frequency * (2 * std::numbers::pi);
  return relu(each_linear(concat({cos(angle), sin(angle)}, -1), weight) + bias);
}

void PeriodicEmbedding::members(nn::Members& m) const {
  m("frequency", frequency);
  m("weight", weight);
  m("bias", bias);
}

std::string PeriodicEmbedding::description() const {
  const Shape& shape = weight.shape();
  return "PeriodicEmbedding(" + std::to_string(shape[0]) + " features, " + std::to_string(frequency.shape()[1]) +
         " frequencies, " + std::to_string(shape[2]) + ")";
}

}  // namespace temper::models
