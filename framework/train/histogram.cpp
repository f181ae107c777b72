#include <temper/train/histogram.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <temper/autograd/ops/cast.hpp>
#include <temper/autograd/tape.hpp>

#include "framework/core/format_internal.hpp"

namespace temper {

Histogram Histogram::of(const Tensor& x, int cells) {
  if (cells < 1) fail<ValueError>("Histogram: {} cells, expected at least 1", cells);
  const NoTape unrecorded;
  if (x.dtype() != Dtype::f32 && x.dtype() != Dtype::bf16) {
    fail<ValueError>("Histogram: got {}, expected f32 or bf16", x.dtype());
  }
  const Tensor numbers = x.dtype() == Dtype::f32 ? x : to(x, Dtype::f32);
  Histogram result{.low = std::numeric_limits<double>::infinity(),
                   .high = -std::numeric_limits<double>::infinity(),
                   .counts = std::vector<std::int64_t>(static_cast<std::size_t>(cells))};
  double sum = 0, squares = 0, count = 0;
  for (const float number : numbers.values<float>()) {
    if (!std::isfinite(number)) {
      ++result.bad;
      continue;
    }
    const auto value = static_cast<double>(number);
    result.low = std::min(result.low, value);
    result.high = std::max(result.high, value);
    sum += value;
    squares += value * value;
    count += 1;
  }
  if (count == 0) {
    result.low = result.high = 0;
    return result;
  }
  result.mean = sum / count;
  result.deviation = std::sqrt(std::max(0.0, squares / count - result.mean * result.mean));
  const double scale = result.high > result.low ? cells / (result.high - result.low) : 0.0;
  for (const float number : numbers.values<float>()) {
    if (!std::isfinite(number)) continue;
    const auto cell = static_cast<std::int64_t>((static_cast<double>(number) - result.low) * scale);
    ++result.counts[static_cast<std::size_t>(std::clamp<std::int64_t>(cell, 0, cells - 1))];
  }
  return result;
}

}  // namespace temper
