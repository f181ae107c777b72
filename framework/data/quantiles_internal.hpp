#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace temper::data::detail {

/// The value below which a share of the values lies, between two of them along a line. They are sorted, and there is
/// one.
double quantile(std::span<const double> sorted, double share);
/// `count` of them, from the smallest value to the largest at equal distances of shares. With a count of one, the
/// smallest.
std::vector<double> quantiles(std::span<const double> sorted, std::int64_t count);

/// The share, from 0 to 1, of what lies below x; in the middle of those that equal it, but 0 and 1 at the ends, and 0.5
/// where all are equal. Source: scikit-learn, QuantileTransformer.
double rank_among(std::span<const double> quantiles, double x);

/// The number that a standard normal one is below with probability p, which is held 1e-7 away from 0 and 1: about 5.2
/// at most. Source: Abramowitz, Stegun, "Handbook of mathematical functions" (1964), 26.2.23, made exact by Halley's
/// steps.
double normal_quantile(double p);

}  // namespace temper::data::detail
