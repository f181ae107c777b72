#include <temper/nn/init.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

#include <temper/core/random.hpp>

#include "framework/core/format_internal.hpp"

namespace temper::nn {

namespace {

Tensor uniform_within(const Shape& shape, double bound) {
  return uniform(shape, static_cast<float>(-bound), static_cast<float>(bound));
}

double fan_in_of(const Shape& shape) { return static_cast<double>(std::max<std::int64_t>(1, fans_of(shape).in)); }
double fan_sum_of(const Shape& shape) {
  const Fans fans = fans_of(shape);
  return static_cast<double>(std::max<std::int64_t>(1, fans.in + fans.out));
}

double standard_normal_cdf(double x) { return std::erfc(-x / std::sqrt(2.0)) / 2.0; }

}  // namespace

Tensor fan_in_uniform(const Shape& shape, std::int64_t fan_in) {
  if (fan_in < 1) fail<ValueError>("fan_in_uniform: fan_in is {}, expected at least 1", fan_in);
  const auto bound = static_cast<float>(1.0 / std::sqrt(static_cast<double>(fan_in)));
  return uniform(shape, -bound, bound);
}

Fans fans_of(const Shape& shape) {
  if (shape.rank() < 2) fail<ValueError>("fans_of: {}, expected a weight [out, in, ...]", shape);
  const std::int64_t taps = shape[0] * shape[1] == 0 ? 1 : shape.numel() / (shape[0] * shape[1]);
  return {shape[1] * taps, shape[0] * taps};
}

double gain_of(Gain function) {
  return function == Gain::tanh ? 5.0 / 3.0 : function == Gain::relu ? std::sqrt(2.0) : 1.0;
}

Tensor xavier_uniform(const Shape& shape, double gain) {
  return uniform_within(shape, gain * std::sqrt(6.0 / fan_sum_of(shape)));
}
Tensor xavier_normal(const Shape& shape, double gain) {
  return normal(shape, 0.0f, static_cast<float>(gain * std::sqrt(2.0 / fan_sum_of(shape))));
}

Tensor kaiming_uniform(const Shape& shape, Gain function) {
  return uniform_within(shape, gain_of(function) * std::sqrt(3.0 / fan_in_of(shape)));
}
Tensor kaiming_normal(const Shape& shape, Gain function) {
  return normal(shape, 0.0f, static_cast<float>(gain_of(function) / std::sqrt(fan_in_of(shape))));
}

Tensor truncated_normal(const Shape& shape, const TruncatedNormalOptions& options) {
  const auto [mean, deviation, low, high] = options;
  const double least = (static_cast<double>(low) - static_cast<double>(mean)) / static_cast<double>(deviation);
  const double most = (static_cast<double>(high) - static_cast<double>(mean)) / static_cast<double>(deviation);
  const double accepted = standard_normal_cdf(most) - standard_normal_cdf(least);  // share of draws between the bounds
  if (!(deviation > 0.0f) || !(low < high) || !(accepted > 1e-12)) {
    fail<ValueError>(
        "truncated_normal: mean {}, deviation {} from {} to {}; expected a deviation above 0 and bounds that "
        "some numbers lie between",
        mean, deviation, low, high);
  }
  Tensor result = empty(shape);
  const detail::RandomStream stream = detail::next_draw();
  std::uint64_t next = 0;
  // Rejection sampling: each draw takes the stream's next counter until it lies between the bounds.
  for (float& value : result.mutable_values<float>()) {
    do value = static_cast<float>(static_cast<double>(mean) + static_cast<double>(deviation) * stream.normal(next++));
    while (!(value >= low && value <= high));
  }
  return result;
}

Tensor orthogonal(const Shape& shape, double gain) {
  static_cast<void>(fans_of(shape));  // checks the shape
  const std::int64_t rows = shape[0], columns = rows == 0 ? 0 : shape.numel() / rows;
  // Gram-Schmidt orthogonalization; a second pass for each vector removes what rounding left.
  const std::int64_t count = std::min(rows, columns), length = std::max(rows, columns);
  const Tensor drawn = normal({count, length});
  std::vector<double> basis(drawn.values<float>().begin(), drawn.values<float>().end());
  const auto at = [&](std::int64_t i) { return basis.data() + i * length; };
  const auto dot = [&](const double* a, const double* b) {
    double sum = 0.0;
    for (std::int64_t k = 0; k < length; ++k) sum += a[k] * b[k];
    return sum;
  };
  for (std::int64_t i = 0; i < count; ++i) {
    for (int pass = 0; pass < 2; ++pass) {
      for (std::int64_t j = 0; j < i; ++j) {
        const double projection = dot(at(i), at(j));
        for (std::int64_t k = 0; k < length; ++k) at(i)[k] -= projection * at(j)[k];
      }
    }
    const double size = std::sqrt(dot(at(i), at(i)));
    for (std::int64_t k = 0; k < length; ++k) at(i)[k] /= size;
  }
  Tensor result = empty(shape);
  float* const out = result.mutable_data<float>();
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t column = 0; column < columns; ++column) {
      const double value = rows <= columns ? at(row)[column] : at(column)[row];
      out[row * columns + column] = static_cast<float>(gain * value);
    }
  }
  return result;
}

}  // namespace temper::nn
