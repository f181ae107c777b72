#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <iosfwd>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace temper {

/// Counts optimizer updates. The first one is step 0.
using Step = std::int64_t;

namespace optim {

/// The length of a schedule that never ends.
inline constexpr Step endless = std::numeric_limits<Step>::max();

namespace detail {
struct ScheduleNode;
}

/// A number as a function of the updates applied so far: `lr(k)`. An immutable value; copies are cheap.
///
/// The shapes below are multipliers whose peak is 1, so that one shape can drive anything and the peak is a factor:
///
///     1e-3 * warmup(500).then(cosine(9500))
///
/// A schedule of length n holds its end value from step n on. Two are equal when their texts are.
class Schedule {
 public:
  /// The same value for ever.
  Schedule(double value);

  /// The value at step k. Throws: ValueError for a negative step.
  double operator()(Step k) const;
  /// Steps until nothing changes any more; `endless` when that never comes.
  Step length() const;
  /// Canonical text, valid C++ and input of parse().
  const std::string& text() const;

  /// This schedule for its length, then `next`, whose clock starts at 0 there. Throws: ValueError when this one is
  /// endless, or scaled while `next` is not: (1e-3 * warmup(n)).then(cosine(m)) would jump from 1e-3 to 1.
  Schedule then(const Schedule& next) const;
  /// The first `steps` steps, holding the value at `steps` from there on.
  Schedule cut(Step steps) const;
  /// What is left after the first `steps` steps.
  Schedule skip(Step steps) const;
  /// Over and over, `times` times or for ever. Throws: ValueError when this one is endless.
  Schedule repeat(Step times = endless) const;

  /// The product of the values at every step.
  friend Schedule operator*(const Schedule& a, const Schedule& b);
  friend bool operator==(const Schedule& a, const Schedule& b) { return a.text() == b.text(); }

  /// The number, when this is nothing but a number.
  bool is_number() const;

 private:
  friend struct detail::ScheduleNode;
  explicit Schedule(std::shared_ptr<const detail::ScheduleNode> node) : node_(std::move(node)) {}
  std::shared_ptr<const detail::ScheduleNode> node_;
};

std::ostream& operator<<(std::ostream& out, const Schedule& schedule);

/// The smaller, the larger value at every step.
Schedule min(const Schedule& a, const Schedule& b);
Schedule max(const Schedule& a, const Schedule& b);

/// `value` for `steps` steps.
Schedule constant(double value, Step steps = endless);

/// How a warm-up of n updates begins: with 1/n, so that the n-th update has the full rate, or with 0.
enum class Warmup { one_based, zero_based };

/// Linearly up to 1: (k + 1) / n, or k / n when zero-based.
/// Source: Goyal et al., "Accurate, large minibatch SGD" (2017), section 2.2.
Schedule warmup(Step n, Warmup start = Warmup::one_based);
/// From 0 to 1 along a logarithm: log(k + 1) / log(n).
Schedule log_warmup(Step n);

struct LinearOptions {
  double start = 0.0;
  double end = 1.0;
};
/// From `start` to `end`: start + (end - start) k / n.
Schedule linear(Step n, LinearOptions options = {});

struct DecayOptions {
  double end = 0.0;  ///< value at n
};
/// From 1 to `end` along a line: 1 - k / n.
Schedule linear_decay(Step n, DecayOptions options = {});
/// From 1 to `end` along half a cosine: (1 + cos(pi k / n)) / 2.
/// Source: Loshchilov, Hutter, "SGDR" (2017), equation 5.
Schedule cosine(Step n, DecayOptions options = {});
/// From 1 to `end` as 1 - sqrt(k / n).
/// Source: Hägele et al., "Scaling laws and compute-optimal training beyond fixed training durations" (2024).
Schedule sqrt_decay(Step n, DecayOptions options = {});

struct PolynomialOptions {
  double power = 1.0;
  double end = 0.0;
};
/// From 1 to `end` as (1 - k / n)^power.
Schedule polynomial(Step n, PolynomialOptions options = {});

/// factor^k. Endless.
Schedule exponential(double factor);
/// Multiplied by `factor` every `every` steps. Endless.
Schedule step(Step every, double factor);
/// Multiplied by `factor` at each milestone; one given twice counts twice. Endless.
Schedule multistep(const std::vector<Step>& milestones, double factor);

struct RestartOptions {
  Step grow = 1;  ///< how many times longer each cycle is than the one before
  double end = 0.0;
};
/// Cosines from 1 to `end`, the first over `first` steps, again and again. Endless.
/// Source: Loshchilov, Hutter, "SGDR" (2017).
Schedule cosine_restarts(Step first, RestartOptions options = {});

struct OneCycleOptions {
  double rise = 0.3;  ///< fraction of the steps that lead up to 1
  double start = 1.0 / 25.0;
  double end = 4e-6;
};
/// Up from `start` to 1 and down to `end` at step n - 1, along half cosines. The defaults are PyTorch's.
/// Source: Smith, Topin, "Super-convergence" (2018).
Schedule one_cycle(Step n, OneCycleOptions options = {});

struct CyclicOptions {
  Step down = 0;        ///< steps from 1 to `low`; 0 means as many as up
  double low = 0.1;     ///< value at the ends of a cycle
  double shrink = 1.0;  ///< factor on the height of each cycle after the first
};
/// Lines from `low` to 1 in `up` steps and back, again and again. Endless.
/// Source: Smith, "Cyclical learning rates for training neural networks" (2017).
Schedule cyclic(Step up, CyclicOptions options = {});

struct InverseSqrtOptions {
  Step from = 0;  ///< where on the curve to begin; 0 means at n, where it is 1
};
/// sqrt(n / (from + k)). Endless.
/// Source: Vaswani et al., "Attention is all you need" (2017), section 5.3.
Schedule inverse_sqrt(Step n, InverseSqrtOptions options = {});

/// Warm up, stay, decay linearly: warmup(warm).then(constant(1, stable)).then(linear_decay(decay)).
/// Source: Hu et al., "MiniCPM" (2024), section 4.
Schedule wsd(Step warm, Step stable, Step decay);

/// A function of your own. It must depend on k alone. `name` stands for it in texts.
Schedule custom(std::string name, std::function<double(Step)> function, Step length = endless);

/// The schedule that a text says, as `3e-4 * warmup(1000).then(cosine(9000, {.end = 0.1}))`. Options may also be
/// written `end = 0.1`. `customs` are what `custom("name")` may refer to.
/// Throws: ValueError that shows the text, the column and what was expected there.
Schedule parse(std::string_view text, std::span<const Schedule> customs = {});

}  // namespace optim
}  // namespace temper
