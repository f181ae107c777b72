#include "models/study/statistics.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

namespace temper::study {

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double spread(const std::vector<double>& values) {
  if (values.size() < 2) return 0.0;
  const double middle = mean(values);
  double sum = 0.0;
  for (const double value : values) sum += (value - middle) * (value - middle);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

double uncertainty(const std::vector<double>& values) {
  // The 97.5% quantiles for 1, 2, ... degrees of freedom; more than ten values get the one of ten, which is wider.
  static constexpr std::array quantiles = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262};
  if (values.size() < 2) return std::numeric_limits<double>::infinity();
  const double quantile = quantiles[std::min(values.size() - 2, quantiles.size() - 1)];
  return quantile * spread(values) / std::sqrt(static_cast<double>(values.size()));
}

}  // namespace temper::study
