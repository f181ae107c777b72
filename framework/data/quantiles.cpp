#include <algorithm>
#include <cmath>
#include <numbers>

#include "framework/data/quantiles_internal.hpp"

namespace temper::data::detail {

double quantile(std::span<const double> sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = std::min(static_cast<std::size_t>(place), sorted.size() - 1);
  const auto above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], place - static_cast<double>(below));
}

std::vector<double> quantiles(std::span<const double> sorted, std::int64_t count) {
  std::vector<double> result;
  for (std::int64_t i = 0; i < count; ++i) {
    result.push_back(quantile(sorted, count == 1 ? 0.0 : static_cast<double>(i) / static_cast<double>(count - 1)));
  }
  // Rounding must not make them fall.
  for (std::size_t i = 1; i < result.size(); ++i) result[i] = std::max(result[i], result[i - 1]);
  return result;
}

double rank_among(std::span<const double> quantiles, double x) {
  if (quantiles.front() == quantiles.back()) return x < quantiles.front() ? 0.0 : x > quantiles.front() ? 1.0 : 0.5;
  if (x <= quantiles.front()) return 0.0;
  if (x >= quantiles.back()) return 1.0;
  const auto first = std::ranges::lower_bound(quantiles, x), past = std::ranges::upper_bound(quantiles, x);
  const auto last = static_cast<double>(quantiles.size() - 1);
  const auto place = [&](auto at) { return static_cast<double>(at - quantiles.begin()); };
  if (first != past) return 0.5 * (place(first) + place(past - 1)) / last;
  const double below = *(first - 1), above = *first;
  return (place(first - 1) + (x - below) / (above - below)) / last;
}

double normal_quantile(double p) {
  constexpr double margin = 1e-7;
  p = std::clamp(p, margin, 1 - margin);
  if (p > 0.5) return -normal_quantile(1 - p);
  const double t = std::sqrt(-2 * std::log(p));
  double x = (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t;
  for (int step = 0; step < 2; ++step) {
    const double excess = 0.5 * std::erfc(-x / std::numbers::sqrt2) - p;
    const double u = excess * std::sqrt(2 * std::numbers::pi) * std::exp(x * x / 2);
    x -= u / (1 + x * u / 2);
  }
  return x;
}

}  // namespace temper::data::detail
