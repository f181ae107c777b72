// The basic schedules: each is a formula with a text.

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "optim/schedule_internal.hpp"

namespace temper::optim {

using detail::call_text;
using detail::check_finite;
using detail::check_steps;
using detail::ScheduleNode;

namespace {

Schedule shape(std::string text, Step length, std::function<double(Step)> at) {
  return ScheduleNode::wrap({.text = std::move(text), .length = length, .at = std::move(at)});
}

/// k / n, and 1 from n on (also when n is 0).
double fraction(Step k, Step n) { return k >= n ? 1.0 : static_cast<double>(k) / static_cast<double>(n); }

/// From 1 at x = 0 to 0 at x = 1.
double half_cosine(double x) { return 0.5 * (1.0 + std::cos(std::numbers::pi * x)); }

double between(double end, double start, double weight) { return end + (start - end) * weight; }

/// A decay from 1 to `end`, whose form is `weight`, a function from 1 at 0 to 0 at 1.
Schedule decay(const char* name, Step n, double end, double (*weight)(double)) {
  check_steps(name, n);
  check_finite(name, "end", end);
  return shape(call_text(name, fmt::format("{}", n), {{"end", end, 0.0}}), n,
               [=](Step k) { return between(end, 1.0, weight(fraction(k, n))); });
}

}  // namespace

Schedule constant(double value, StepCount count) {
  const Step steps = count;
  check_steps("constant", steps);
  if (steps == endless) return Schedule(value);
  check_finite("constant", "value", value);
  return ScheduleNode::wrap({.text = fmt::format("constant({}, {})", value, steps),
                             .length = steps,
                             .at = [value](Step) { return value; },
                             .first = ScheduleNode::Level::constant,
                             .last = ScheduleNode::Level::constant});
}

Schedule warmup(StepCount steps, Warmup start) {
  const Step n = steps;
  check_steps("warmup", n);
  if (start == Warmup::zero_based) {
    return shape(fmt::format("warmup({}, Warmup::zero_based)", n), n, [n](Step k) { return fraction(k, n); });
  }
  return shape(fmt::format("warmup({})", n), n, [n](Step k) { return k >= n ? 1.0 : fraction(k + 1, n); });
}

Schedule untuned_warmup(double beta2) {
  if (!(beta2 >= 0.0 && beta2 < 1.0)) {
    fail<ValueError>("untuned_warmup: beta2 is {}, expected at least 0 and less than 1", beta2);
  }
  const double rise = 0.5 * (1.0 - beta2);
  return shape(fmt::format("untuned_warmup({})", beta2), static_cast<Step>(std::ceil(1.0 / rise)),
               [rise](Step k) { return std::min(1.0, static_cast<double>(k + 1) * rise); });
}

Schedule log_warmup(StepCount steps) {
  const Step n = steps;
  check_steps("log_warmup", n);
  return shape(fmt::format("log_warmup({})", n), n, [n](Step k) {
    return k + 1 >= n ? 1.0 : std::log(static_cast<double>(k + 1)) / std::log(static_cast<double>(n));
  });
}

Schedule linear(StepCount steps, LinearOptions options) {
  const Step n = steps;
  check_steps("linear", n);
  check_finite("linear", "start", options.start);
  check_finite("linear", "end", options.end);
  return shape(call_text("linear", fmt::format("{}", n), {{"start", options.start, 0.0}, {"end", options.end, 1.0}}), n,
               [=](Step k) { return k >= n ? options.end : between(options.start, options.end, fraction(k, n)); });
}

Schedule linear_decay(StepCount n, DecayOptions options) {
  return decay("linear_decay", n, options.end, [](double x) { return 1.0 - x; });
}

Schedule cosine(StepCount n, DecayOptions options) { return decay("cosine", n, options.end, half_cosine); }

Schedule sqrt_decay(StepCount n, DecayOptions options) {
  return decay("sqrt_decay", n, options.end, [](double x) { return 1.0 - std::sqrt(x); });
}

Schedule square_decay(StepCount n, DecayOptions options) {
  return decay("square_decay", n, options.end, [](double x) { return 1.0 - x * x; });
}

Schedule rex(StepCount n, DecayOptions options) {
  return decay("rex", n, options.end, [](double x) { return (1.0 - x) / (1.0 - 0.5 * x); });
}

Schedule cosine_rise(StepCount steps, RiseOptions options) {
  const Step n = steps;
  check_steps("cosine_rise", n);
  check_finite("cosine_rise", "start", options.start);
  return shape(call_text("cosine_rise", fmt::format("{}", n), {{"start", options.start, 0.0}}), n,
               [=](Step k) { return between(1.0, options.start, half_cosine(fraction(k, n))); });
}

Schedule polynomial(StepCount steps, PolynomialOptions options) {
  const Step n = steps;
  check_steps("polynomial", n);
  check_finite("polynomial", "end", options.end);
  if (!(options.power > 0.0 && std::isfinite(options.power))) {
    fail<ValueError>("polynomial: power is {}, expected a positive number", options.power);
  }
  return shape(
      call_text("polynomial", fmt::format("{}", n), {{"power", options.power, 1.0}, {"end", options.end, 0.0}}), n,
      [=](Step k) { return between(options.end, 1.0, std::pow(1.0 - fraction(k, n), options.power)); });
}

Schedule exponential(double factor) {
  check_finite("exponential", "factor", factor);
  return shape(fmt::format("exponential({})", factor), endless,
               [factor](Step k) { return std::pow(factor, static_cast<double>(k)); });
}

Schedule step(StepCount steps, double factor) {
  const Step every = steps;
  check_steps("step", every, 1);
  check_finite("step", "factor", factor);
  return shape(fmt::format("step({}, {})", every, factor), endless,
               [=](Step k) { return std::pow(factor, static_cast<double>(k / every)); });
}

Schedule multistep(const std::vector<Step>& milestones, double factor) {
  check_finite("multistep", "factor", factor);
  for (const Step milestone : milestones) check_steps("multistep", milestone);
  std::vector<Step> sorted = milestones;
  std::sort(sorted.begin(), sorted.end());
  return shape(fmt::format("multistep({{{}}}, {})", fmt::join(sorted, ", "), factor), endless, [=](Step k) {
    const auto passed = std::upper_bound(sorted.begin(), sorted.end(), k) - sorted.begin();
    return std::pow(factor, static_cast<double>(passed));
  });
}

Schedule cosine_restarts(StepCount steps, RestartOptions options) {
  const Step first = steps;
  check_steps("cosine_restarts", first, 1);
  if (options.grow < 1) fail<ValueError>("cosine_restarts: grow is {}, expected at least 1", options.grow);
  check_finite("cosine_restarts", "end", options.end);
  const std::string text = call_text("cosine_restarts", fmt::format("{}", first),
                                     {{"grow", options.grow, Step{1}}, {"end", options.end, 0.0}});
  return shape(text, endless, [=](Step k) {
    // In integers, because a closed form with logarithms is in the wrong cycle at some restarts.
    Step cycle = first;
    if (options.grow == 1) k %= cycle;
    while (k >= cycle) {
      k -= cycle;
      cycle = cycle > endless / options.grow ? endless : cycle * options.grow;
    }
    return between(options.end, 1.0, half_cosine(fraction(k, cycle)));
  });
}

Schedule one_cycle(StepCount steps, OneCycleOptions options) {
  const Step n = steps;
  check_steps("one_cycle", n);
  if (!(options.rise >= 0.0 && options.rise <= 1.0)) {
    fail<ValueError>("one_cycle: rise is {}, expected a fraction of the steps, 0 to 1", options.rise);
  }
  check_finite("one_cycle", "start", options.start);
  check_finite("one_cycle", "end", options.end);
  const std::string text = call_text("one_cycle", fmt::format("{}", n),
                                     {{"rise", options.rise, 0.3},
                                      {"start", options.start, 1.0 / 25.0},
                                      {"end", options.end, 4e-6},
                                      {"linear", options.linear, false}});
  const double top = std::max(0.0, options.rise * static_cast<double>(n) - 1.0);  // the step of the peak
  const double last = static_cast<double>(n - 1);
  return shape(text, n, [=](Step k) {
    const double x = static_cast<double>(k);
    if (k >= n) return options.end;
    const auto fall = [&](double at) { return options.linear ? 1.0 - at : half_cosine(at); };
    if (x < top) return between(1.0, options.start, fall(x / top));
    return x > top ? between(options.end, 1.0, fall((x - top) / (last - top))) : 1.0;
  });
}

Schedule cyclic(StepCount steps, CyclicOptions options) {
  const Step up = steps;
  check_steps("cyclic", up, 1);
  check_steps("cyclic (down)", options.down);
  check_finite("cyclic", "low", options.low);
  check_finite("cyclic", "shrink", options.shrink);
  check_finite("cyclic", "gamma", options.gamma);
  const std::string text = call_text("cyclic", fmt::format("{}", up),
                                     {{"down", options.down, Step{0}},
                                      {"low", options.low, 0.1},
                                      {"shrink", options.shrink, 1.0},
                                      {"gamma", options.gamma, 1.0}});
  const Step down = options.down == 0 ? up : options.down;
  return shape(text, endless, [=](Step k) {
    const Step position = k % (up + down);
    const double height = position <= up ? fraction(position, up) : 1.0 - fraction(position - up, down);
    const double left = std::pow(options.shrink, static_cast<double>(k / (up + down))) *
                        std::pow(options.gamma, static_cast<double>(k));
    return between(options.low, 1.0, height * left);
  });
}

Schedule inverse_sqrt(StepCount steps, InverseSqrtOptions options) {
  const Step n = steps;
  check_steps("inverse_sqrt", n, 1);
  check_steps("inverse_sqrt (from)", options.from);
  const Step from = options.from == 0 ? n : options.from;
  return shape(
      call_text("inverse_sqrt", fmt::format("{}", n), {{"from", options.from, Step{0}}}), endless,
      [=](Step k) { return std::sqrt(static_cast<double>(n) / (static_cast<double>(from) + static_cast<double>(k))); });
}

Schedule wsd(StepCount warm, StepCount stable, const Schedule& cooldown) {
  return warmup(warm).then(constant(1.0, stable)).then(cooldown);
}

Schedule custom(std::string name, std::function<double(Step)> function, StepCount length) {
  check_steps("custom", length);
  if (!function) fail<ValueError>("custom: '{}' has no function", name);
  if (name.empty() || name.find_first_of("\"\\\n") != std::string::npos) {
    fail<ValueError>("custom: the name '{}' cannot be written between quotes", name);
  }
  return shape(fmt::format("custom(\"{}\")", name), length, std::move(function));
}

}  // namespace temper::optim
