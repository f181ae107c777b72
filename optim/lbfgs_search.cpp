// Directions and line search of L-BFGS.

#include <algorithm>
#include <cmath>
#include <utility>

#include "optim/lbfgs_internal.hpp"

namespace temper::optim::detail {

double dot(const Vector& a, const Vector& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

Vector direction(const std::deque<Pair>& pairs, const Vector& gradient) {
  Vector q = gradient;
  std::vector<double> alpha(pairs.size());
  const auto add = [](Vector& to, double factor, const Vector& x) {
    for (std::size_t i = 0; i < to.size(); ++i) to[i] += factor * x[i];
  };
  for (std::size_t i = pairs.size(); i-- > 0;) {
    alpha[i] = dot(pairs[i].s, q) / dot(pairs[i].s, pairs[i].y);
    add(q, -alpha[i], pairs[i].y);
  }
  if (!pairs.empty()) {
    const auto& [s, y] = pairs.back();
    const double scale = dot(s, y) / dot(y, y);
    for (double& x : q) x *= scale;
  }
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const double beta = dot(pairs[i].y, q) / dot(pairs[i].s, pairs[i].y);
    add(q, alpha[i] - beta, pairs[i].s);
  }
  for (double& x : q) x = -x;
  return q;
}

namespace {

/// The minimum of the cubic through two points with their slopes, at least a tenth of their distance from both.
/// Source: Nocedal, Wright (2006), equation 3.59.
double between(const Trial& a, const Trial& b) {
  const double low = std::min(a.t, b.t), high = std::max(a.t, b.t), width = high - low;
  const double d1 = a.slope + b.slope - 3.0 * (a.f - b.f) / (a.t - b.t);
  const double square = d1 * d1 - a.slope * b.slope;
  double t = 0.5 * (low + high);
  if (square >= 0.0) {
    const double d2 = std::copysign(std::sqrt(square), b.t - a.t);
    const double cubic = b.t - (b.t - a.t) * (b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2);
    if (std::isfinite(cubic)) t = cubic;
  }
  return std::clamp(t, low + 0.1 * width, high - 0.1 * width);
}

}  // namespace

Trial search(const Trial& start, double first, const std::function<Trial(double)>& at, double c1, double c2, int most) {
  const auto too_high = [&](const Trial& x) { return !std::isfinite(x.f) || x.f > start.f + c1 * x.t * start.slope; };
  const auto flat = [&](const Trial& x) { return std::abs(x.slope) <= -c2 * start.slope; };
  Trial before = start, now = at(first);
  int used = 1;
  // Bracketing: larger steps until a minimum lies between two points.
  while (!too_high(now) && (used == 1 || now.f < before.f) && !flat(now) && now.slope < 0.0 && used < most) {
    const double next = std::min(10.0 * now.t, std::max(1.1 * now.t, now.t + 4.0 * (now.t - before.t)));
    before = std::exchange(now, at(next));
    ++used;
  }
  if (!too_high(now) && flat(now)) return now;
  // Zoom: `low` is the lowest point so far, and the minimum lies between it and `high`.
  Trial low = too_high(now) || now.f >= before.f ? before : now;
  Trial high = too_high(now) || now.f >= before.f ? now : before;
  while (used < most && std::abs(high.t - low.t) * std::abs(start.slope) > 1e-16 * std::max(1.0, std::abs(start.f))) {
    const double middle = std::isfinite(high.f) ? between(low, high) : 0.5 * (low.t + high.t);
    Trial x = at(middle);
    ++used;
    if (too_high(x) || x.f >= low.f) {
      high = std::move(x);
      continue;
    }
    if (flat(x)) return x;
    if (x.slope * (high.t - low.t) >= 0.0) high = low;
    low = std::move(x);
  }
  return low;
}

}  // namespace temper::optim::detail
