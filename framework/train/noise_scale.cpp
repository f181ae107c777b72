#include <temper/train/noise_scale.hpp>

#include <array>
#include <cmath>

#include "framework/core/format_internal.hpp"

namespace temper {

double gradient_squares(const std::vector<Parameter>& parameters) {
  double total = 0;
  for (const Parameter& parameter : parameters) {
    if (!parameter.gradient().defined()) continue;
    // Eight sums at a time, which the compiler makes vectors of, in an order that is always the same.
    std::array<double, 8> sums{};
    const auto values = parameter.gradient().values<float>();
    std::size_t i = 0;
    for (; i + sums.size() <= values.size(); i += sums.size()) {
      for (std::size_t lane = 0; lane < sums.size(); ++lane) {
        const auto x = static_cast<double>(values[i + lane]);
        sums[lane] += x * x;
      }
    }
    for (; i < values.size(); ++i) sums[0] += static_cast<double>(values[i]) * static_cast<double>(values[i]);
    for (const double sum : sums) total += sum;
  }
  return total;
}

NoiseScale::NoiseScale(double decay) : decay_(decay) {
  if (!(decay >= 0 && decay < 1)) {
    fail<ValueError>("NoiseScale: the averages decay by {}, expected a number from 0 to below 1", decay);
  }
}

void NoiseScale::add(double small_squares, double small, double large_squares, double large) {
  if (!(small > 0 && small < large && std::isfinite(large))) {
    fail<ValueError>("NoiseScale: batches of {} and {} examples, expected a small and a larger one", small, large);
  }
  const auto good = [](double squares) { return squares >= 0 && std::isfinite(squares); };
  if (!good(small_squares) || !good(large_squares)) {
    fail<ValueError>("NoiseScale: squared norms {} and {}, expected finite ones of at least 0", small_squares,
                     large_squares);
  }
  const double norm = (large * large_squares - small * small_squares) / (large - small);
  const double variance = (small_squares - large_squares) / (1 / small - 1 / large);
  state_.squared_norm = decay_ * state_.squared_norm + (1 - decay_) * norm;
  state_.variance = decay_ * state_.variance + (1 - decay_) * variance;
  state_.weight = decay_ * state_.weight + (1 - decay_);
}

std::optional<double> NoiseScale::squared_norm() const {
  return state_.weight > 0 ? std::optional(state_.squared_norm / state_.weight) : std::nullopt;
}

std::optional<double> NoiseScale::variance() const {
  return state_.weight > 0 ? std::optional(state_.variance / state_.weight) : std::nullopt;
}

std::optional<double> NoiseScale::value() const {
  if (!(state_.squared_norm > 0 && state_.variance > 0)) return std::nullopt;
  return state_.variance / state_.squared_norm;
}

}  // namespace temper
