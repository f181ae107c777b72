// Reduces a curve of any length to as many points as a page can show.

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>

#include "framework/train/report_internal.hpp"

namespace temper::detail {

namespace {

double mean(std::span<const MetricPoint> points) {
  double sum = 0;
  std::int64_t count = 0;
  for (const MetricPoint& point : points) {
    if (std::isnan(point.value)) continue;
    sum += point.value;
    ++count;
  }
  return count > 0 ? sum / static_cast<double>(count) : std::numeric_limits<double>::quiet_NaN();
}

/// Indices of the smallest, the largest and the first non-finite value of a segment, ascending, without duplicates.
std::vector<std::size_t> extremes(std::span<const MetricPoint> segment) {
  constexpr std::size_t none = std::numeric_limits<std::size_t>::max();
  std::size_t smallest = none, largest = none, missing = none;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    const double value = segment[i].value;
    if (std::isnan(value)) {
      missing = std::min(missing, i);
      continue;
    }
    if (smallest == none || value < segment[smallest].value) smallest = i;
    if (largest == none || value > segment[largest].value) largest = i;
  }
  std::vector<std::size_t> found = {smallest, largest, missing};
  std::ranges::sort(found);
  found.erase(std::unique(found.begin(), found.end()), found.end());
  std::erase(found, none);
  return found;
}

}  // namespace

ThinCurve thin(const std::vector<MetricPoint>& points, std::size_t limit) {
  if (points.size() <= limit || limit < 4) return {points, {}};
  ThinCurve curve{{points.front()}, {points.front().value}};
  const std::span inner = std::span(points).subspan(1, points.size() - 2);
  const std::size_t segments = (limit - 2) / 2;
  for (std::size_t s = 0; s < segments; ++s) {
    const std::size_t begin = inner.size() * s / segments, end = inner.size() * (s + 1) / segments;
    const std::span segment = inner.subspan(begin, end - begin);
    for (const std::size_t i : extremes(segment)) {
      curve.points.push_back(segment[i]);
      curve.means.push_back(mean(segment));
    }
  }
  curve.points.push_back(points.back());
  curve.means.push_back(points.back().value);
  return curve;
}

double median(const std::vector<MetricPoint>& points) {
  std::vector<double> values;
  for (const MetricPoint& point : points) {
    if (!std::isnan(point.value)) values.push_back(point.value);
  }
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

double tail_mean(const std::vector<MetricPoint>& points) {
  return mean(std::span(points).last((points.size() + 19) / 20));
}

}  // namespace temper::detail
