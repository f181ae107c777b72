#pragma once

#include <concepts>
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

/// A number or index of optimizer updates. The first update is step 0.
using Step = std::int64_t;

namespace optim {

/// The length of a schedule that never ends.
inline constexpr Step endless = std::numeric_limits<Step>::max();

/// A number of steps as an argument. Takes integers only: warmup(0.1), which would be warmup(0), does not compile.
class StepCount {
 public:
  constexpr StepCount(std::integral auto steps) : steps_(static_cast<Step>(steps)) {}
  constexpr operator Step() const { return steps_; }

 private:
  Step steps_;
};

namespace detail {
struct ScheduleNode;
}

/// A number as a function of the number of updates so far: `lr(k)`. An immutable value; copies are cheap.
///
/// The shapes below are multipliers whose peak is 1, so that one shape can drive anything and the peak is a factor:
///
///     1e-3 * warmup(500).then(cosine(9500))
///
/// A schedule of length n holds its end value from step n on. Two are equal when their texts are.
class Schedule {
 public:
  /// A constant.
  Schedule(double value);

  /// The value at step k. Throws: ValueError for a negative step.
  double operator()(Step k) const;
  /// The number of steps after which the value is constant; `endless` if there is none.
  Step length() const;
  /// Canonical text, valid C++ and input of parse().
  const std::string& text() const;

  /// This schedule for its length, then `next`, evaluated from its step 0 on. Throws: ValueError when this one is
  /// endless, or scaled while `next` is not: (1e-3 * warmup(n)).then(cosine(m)) would jump from 1e-3 to 1. Sums, min
  /// and max are scaled when one of their parts is.
  Schedule then(const Schedule& next) const;
  /// The first `steps` steps, then constant with the value at `steps`.
  Schedule cut(StepCount steps) const;
  /// This schedule without its first `steps` steps.
  Schedule skip(StepCount steps) const;
  /// This schedule repeated, `times` times or endlessly. Throws: ValueError when this one is endless.
  Schedule repeat(StepCount times = endless) const;

  /// The product of the values at every step.
  friend Schedule operator*(const Schedule& a, const Schedule& b);
  /// The sum or difference of the values at every step: 0.95 - 0.1 * cosine(n) is a momentum that rises to 0.95.
  friend Schedule operator+(const Schedule& a, const Schedule& b);
  friend Schedule operator-(const Schedule& a, const Schedule& b);
  friend bool operator==(const Schedule& a, const Schedule& b) { return a.text() == b.text(); }

  /// Whether this is a plain number, a constant made from a double.
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

/// The constant `value`, with a length of `steps`.
Schedule constant(double value, StepCount steps = endless);

/// Whether a warm-up of n updates begins with 1/n, so that the n-th update has the full rate, or with 0.
enum class Warmup { one_based, zero_based };

/// Linear from 0 to 1: (k + 1) / n, or k / n when zero-based.
/// Source: Goyal et al., "Accurate, large minibatch SGD" (2017), section 2.2.
Schedule warmup(StepCount n, Warmup start = Warmup::one_based);
/// A linear warm-up over 2 / (1 - beta2) updates, a length that needs no tuning: (k + 1) (1 - beta2) / 2, at most 1.
/// Source: Ma, Yarats, "On the adequacy of untuned warmup for adaptive optimization" (2021), section 5.
Schedule untuned_warmup(double beta2 = 0.999);
/// Logarithmic from 0 to 1: log(k + 1) / log(n).
Schedule log_warmup(StepCount n);

struct LinearOptions {
  double start = 0.0;
  double end = 1.0;
};
/// From `start` to `end`: start + (end - start) k / n.
Schedule linear(StepCount n, LinearOptions options = {});

struct DecayOptions {
  double end = 0.0;  ///< value at n
};
/// Linear from 1 to `end`: 1 - k / n for an end of 0.
Schedule linear_decay(StepCount n, DecayOptions options = {});
/// From 1 to `end` along half a cosine: (1 + cos(pi k / n)) / 2 for an end of 0.
/// Source: Loshchilov, Hutter, "SGDR" (2017), equation 5.
Schedule cosine(StepCount n, DecayOptions options = {});
/// From 1 to `end` as 1 - sqrt(k / n).
/// Source: Hägele et al., "Scaling laws and compute-optimal training beyond fixed training durations" (2024).
Schedule sqrt_decay(StepCount n, DecayOptions options = {});

/// From 1 to `end` as 1 - (k / n)^2.
Schedule square_decay(StepCount n, DecayOptions options = {});
/// From 1 to `end` as (1 - k / n) / (1 - k / 2n): slow at first, fast at the end.
/// Source: Chen, Wolfe, Kyrillidis, "REX: revisiting budgeted training with an improved schedule" (2022).
Schedule rex(StepCount n, DecayOptions options = {});

struct RiseOptions {
  double start = 0.0;  ///< value at 0
};
/// From `start` to 1 along half a cosine. cosine(n).then(cosine_rise(n)).repeat() is a periodic cosine.
Schedule cosine_rise(StepCount n, RiseOptions options = {});

struct PolynomialOptions {
  double power = 1.0;
  double end = 0.0;
};
/// From 1 to `end` as (1 - k / n)^power.
Schedule polynomial(StepCount n, PolynomialOptions options = {});

/// factor^k. Endless.
Schedule exponential(double factor);
/// Multiplied by `factor` every `every` steps. Endless.
Schedule step(StepCount every, double factor);
/// Multiplied by `factor` at each milestone, twice at one that is given twice. Endless.
Schedule multistep(const std::vector<Step>& milestones, double factor);

struct RestartOptions {
  Step grow = 1;  ///< factor of the length of each cycle over the one before
  double end = 0.0;
};
/// Repeated cosines from 1 to `end`, the first one over `first` steps. Endless.
/// Source: Loshchilov, Hutter, "SGDR" (2017).
Schedule cosine_restarts(StepCount first, RestartOptions options = {});

struct OneCycleOptions {
  double rise = 0.3;  ///< fraction of the steps in which the value rises to 1
  double start = 1.0 / 25.0;
  double end = 4e-6;
  bool linear = false;  ///< linear instead of half cosines
};
/// From `start` up to 1, then down to `end` at step n - 1, along half cosines. The defaults are PyTorch's.
/// Source: Smith, Topin, "Super-convergence" (2018).
Schedule one_cycle(StepCount n, OneCycleOptions options = {});

struct CyclicOptions {
  Step down = 0;        ///< number of steps from 1 to `low`; 0: as many as `up`
  double low = 0.1;     ///< value at both ends of a cycle
  double shrink = 1.0;  ///< factor of the height of each cycle over the one before
  double gamma = 1.0;   ///< factor of the height at every step: PyTorch's exp_range
};
/// Cycles, linear from `low` to 1 in `up` steps and back to `low`. Endless.
/// Source: Smith, "Cyclical learning rates for training neural networks" (2017).
Schedule cyclic(StepCount up, CyclicOptions options = {});

struct InverseSqrtOptions {
  Step from = 0;  ///< position on the curve at step 0; 0: at n, where the value is 1
};
/// sqrt(n / (from + k)). Endless.
/// Source: Vaswani et al., "Attention is all you need" (2017), section 5.3.
Schedule inverse_sqrt(StepCount n, InverseSqrtOptions options = {});

/// Warm-up, stable, decay: warmup(warm).then(constant(1, stable)).then(cooldown). The cooldown is linear_decay,
/// sqrt_decay, square_decay, cosine or polynomial(n, {.power = 1.2}).
/// Source: Hu et al., "MiniCPM" (2024), section 4.
Schedule wsd(StepCount warm, StepCount stable, const Schedule& cooldown);
/// The same with linear_decay(decay).
Schedule wsd(StepCount warm, StepCount stable, std::integral auto decay) {
  return wsd(warm, stable, linear_decay(decay));
}

/// A function of your own, which must depend on k alone. Its text is custom("name").
Schedule custom(std::string name, std::function<double(Step)> function, StepCount length = endless);

/// Parses the text of a schedule, such as `3e-4 * warmup(1000).then(cosine(9000, {.end = 0.1}))`. Options may also be
/// written `end = 0.1`. `custom("name")` refers to one of `customs`.
/// Throws: ValueError that shows the text, the column and what was expected there.
Schedule parse(std::string_view text, std::span<const Schedule> customs = {});

}  // namespace optim
}  // namespace temper
