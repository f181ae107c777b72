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

/// The minimum of the cubic through two points with their slopes, between `least` and `most`. The middle of these where
/// it has none, or where a value is not finite. Source: Nocedal, Wright (2006), equation 3.59.
double minimum(const Trial& a, const Trial& b, double least, double most) {
  const double middle = 0.5 * (least + most);
  const double d1 = a.slope + b.slope - 3.0 * (a.f - b.f) / (a.t - b.t);
  const double square = d1 * d1 - a.slope * b.slope;
  if (!(square >= 0.0)) return middle;
  const double d2 = std::copysign(std::sqrt(square), b.t - a.t);
  const double t = b.t - (b.t - a.t) * (b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2);
  return std::isfinite(t) ? std::clamp(t, least, most) : middle;
}

/// Points between two others. One nearer to an end than a tenth of the bracket is tried once; the next such is moved
/// away from the end, as else a bracket may shrink from one side alone. Source: Schmidt, "minFunc" (2005); PyTorch does
/// so too.
class Between {
 public:
  double operator()(const Trial& low, const Trial& high) {
    const double left = std::min(low.t, high.t), right = std::max(low.t, high.t), margin = 0.1 * (right - left);
    const double t = minimum(low, high, left, right);
    const bool near = std::min(right - t, t - left) < margin;
    const bool moved = near && (was_near_ || t >= right || t <= left);
    was_near_ = near && !moved;
    if (!moved) return t;
    return right - t < t - left ? right - margin : left + margin;
  }

 private:
  bool was_near_ = false;
};

}  // namespace

Trial search(const Trial& start, double first, const std::function<Trial(double)>& at, double c1, double c2, int most) {
  const auto too_high = [&](const Trial& x) { return !std::isfinite(x.f) || x.f > start.f + c1 * x.t * start.slope; };
  const auto flat = [&](const Trial& x) { return std::abs(x.slope) <= -c2 * start.slope; };
  Trial before = start, now = at(first);
  int used = 1;
  // Bracketing: larger steps until a minimum lies between two points.
  while (!too_high(now) && (used == 1 || now.f < before.f) && !flat(now) && now.slope < 0.0 && used < most) {
    const double next = minimum(before, now, now.t + 0.01 * (now.t - before.t), 10.0 * now.t);
    before = std::exchange(now, at(next));
    ++used;
  }
  if (!too_high(now) && flat(now)) return now;
  Between between;
  // Zoom: `low` is the lowest point so far, and the minimum lies between it and `high`.
  Trial low = too_high(now) || now.f >= before.f ? before : now;
  Trial high = too_high(now) || now.f >= before.f ? now : before;
  while (used < most && std::abs(high.t - low.t) * std::abs(start.slope) > 1e-16 * std::max(1.0, std::abs(start.f))) {
    Trial x = at(between(low, high));
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
