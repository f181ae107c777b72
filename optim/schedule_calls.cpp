// The functions that the text of a schedule can call, and the access to their arguments.

#include <cmath>
#include <utility>

#include <temper/optim/ademamix.hpp>

#include "framework/core/format_internal.hpp"
#include "optim/schedule_text_internal.hpp"

namespace temper::optim::detail {

void ScheduleText::error(std::size_t column, const std::string& what) const {
  fail<ValueError>("schedule, column {}: {}\n  {}\n  {:>{}}", column + 1, what, text, "^", column + 1);
}

Step ScheduleText::steps(std::size_t column, std::optional<Step> whole, double value) const {
  if (whole) return *whole;
  if (value != std::floor(value) || std::abs(value) > 0x1p53) {
    error(column, fmt::format("expected a whole number of steps, got {}", value));
  }
  return static_cast<Step>(value);
}

Schedule Arguments::schedule(const char* what) {
  Argument& next = take(what);
  if (!next.schedule) text_.error(next.column, fmt::format("expected {}", what));
  return *next.schedule;
}

double Arguments::number(const char* what) {
  Argument& next = take(what);
  if (!next.schedule || !next.schedule->is_number()) {
    text_.error(next.column, fmt::format("expected {}, a number", what));
  }
  return (*next.schedule)(0);
}

Step Arguments::steps(const char* what) {
  number(what);
  return last_steps();
}

Step Arguments::last_steps() const {
  const Argument& last = arguments_[next_ - 1];
  return text_.steps(last.column, last.whole, (*last.schedule)(0));
}

std::vector<Step> Arguments::list(const char* what) {
  Argument& next = take(what);
  if (!next.list) text_.error(next.column, fmt::format("expected {}, as {{30, 60}}", what));
  return *next.list;
}

std::string Arguments::word(const char* what) {
  Argument& next = take(what);
  if (!next.word) text_.error(next.column, fmt::format("expected {}", what));
  return *next.word;
}

double Arguments::option(const char* name, double fallback) {
  const Argument* given = find_option(name);
  return given != nullptr ? (*given->schedule)(0) : fallback;
}

Step Arguments::step_option(const char* name, Step fallback) {
  const Argument* given = find_option(name);
  return given != nullptr ? text_.steps(given->column, given->whole, (*given->schedule)(0)) : fallback;
}

bool Arguments::flag(const char* name) {
  const Argument* given = find_option(name);
  if (given == nullptr) return false;
  const double value = (*given->schedule)(0);
  if (value != 0.0 && value != 1.0) text_.error(given->column, fmt::format("{}: expected true or false", name));
  return value == 1.0;
}

void Arguments::finish() const {
  for (const Argument& argument : arguments_) {
    if (argument.used) continue;
    if (!argument.option) text_.error(argument.column, fmt::format("{}: one argument too many", function_));
    text_.error(argument.column,
                known_.empty() ? fmt::format("{} has no options, got '{}'", function_, *argument.option)
                               : fmt::format("{} has no option '{}'; it has {}", function_, *argument.option, known_));
  }
}

const Argument* Arguments::find_option(const char* name) {
  known_ += fmt::format("{}{}", known_.empty() ? "" : ", ", name);
  const Argument* given = nullptr;
  for (Argument& argument : arguments_) {
    if (argument.option != name) continue;
    if (given != nullptr) text_.error(argument.column, fmt::format("{} is given twice", name));
    argument.used = true;
    given = &argument;
  }
  return given;
}

Argument& Arguments::take(const char* what) {
  if (!more()) error(fmt::format("{}: expected {}", function_, what));
  arguments_[next_].used = true;
  return arguments_[next_++];
}

namespace {

using Make = Schedule (*)(Arguments&);

/// A decay over n steps with an option for its end.
template <Schedule (*decay)(StepCount, DecayOptions)>
Schedule make_decay(Arguments& a) {
  const Step n = a.steps();
  return decay(n, {.end = a.option("end", 0.0)});
}

Schedule make_warmup(Arguments& a) {
  const Step n = a.steps();
  if (!a.more()) return warmup(n);
  const std::string word = a.word("Warmup::one_based or Warmup::zero_based");
  if (word == "Warmup::zero_based") return warmup(n, Warmup::zero_based);
  if (word == "Warmup::one_based") return warmup(n, Warmup::one_based);
  a.error_at_last(fmt::format("expected Warmup::one_based or Warmup::zero_based, got {}", word));
}

constexpr std::pair<std::string_view, Make> makers[] = {
    {"warmup", make_warmup},
    {"constant",
     [](Arguments& a) {
       const double value = a.number("a value");
       return a.more() ? constant(value, a.steps()) : constant(value);
     }},
    {"linear",
     [](Arguments& a) {
       const Step n = a.steps();
       return linear(n, {.start = a.option("start", 0.0), .end = a.option("end", 1.0)});
     }},
    {"beta3_warmup",
     [](Arguments& a) {
       const double beta1 = a.number("beta1"), beta3 = a.number("beta3");
       return beta3_warmup(beta1, beta3, a.steps());
     }},
    {"log_warmup", [](Arguments& a) { return log_warmup(a.steps()); }},
    {"untuned_warmup", [](Arguments& a) { return a.more() ? untuned_warmup(a.number("beta2")) : untuned_warmup(); }},
    {"linear_decay", make_decay<linear_decay>},
    {"cosine", make_decay<cosine>},
    {"sqrt_decay", make_decay<sqrt_decay>},
    {"square_decay", make_decay<square_decay>},
    {"rex", make_decay<rex>},
    {"cosine_rise",
     [](Arguments& a) {
       const Step n = a.steps();
       return cosine_rise(n, {.start = a.option("start", 0.0)});
     }},
    {"polynomial",
     [](Arguments& a) {
       const Step n = a.steps();
       return polynomial(n, {.power = a.option("power", 1.0), .end = a.option("end", 0.0)});
     }},
    {"exponential", [](Arguments& a) { return exponential(a.number("a factor")); }},
    {"step",
     [](Arguments& a) {
       const Step every = a.steps();
       return step(every, a.number("a factor"));
     }},
    {"multistep",
     [](Arguments& a) {
       const std::vector<Step> milestones = a.list("milestones");
       return multistep(milestones, a.number("a factor"));
     }},
    {"cosine_restarts",
     [](Arguments& a) {
       const Step first = a.steps();
       return cosine_restarts(first, {.grow = a.step_option("grow", 1), .end = a.option("end", 0.0)});
     }},
    {"one_cycle",
     [](Arguments& a) {
       const Step n = a.steps();
       const OneCycleOptions fallback;
       return one_cycle(n, {.rise = a.option("rise", fallback.rise),
                            .start = a.option("start", fallback.start),
                            .end = a.option("end", fallback.end),
                            .linear = a.flag("linear")});
     }},
    {"cyclic",
     [](Arguments& a) {
       const Step up = a.steps();
       const CyclicOptions fallback;
       return cyclic(up, {.down = a.step_option("down", 0),
                          .low = a.option("low", fallback.low),
                          .shrink = a.option("shrink", fallback.shrink),
                          .gamma = a.option("gamma", fallback.gamma)});
     }},
    {"inverse_sqrt",
     [](Arguments& a) {
       const Step n = a.steps();
       return inverse_sqrt(n, {.from = a.step_option("from", 0)});
     }},
    {"wsd",
     [](Arguments& a) {
       const Step warm = a.steps("warm-up steps"), stable = a.steps("stable steps");
       const Schedule cooldown = a.schedule("decay steps, or a schedule");
       return cooldown.is_number() ? wsd(warm, stable, a.last_steps()) : wsd(warm, stable, cooldown);
     }},
    {"min",
     [](Arguments& a) {
       const Schedule first = a.schedule("a schedule");
       return min(first, a.schedule("a second schedule"));
     }},
    {"max",
     [](Arguments& a) {
       const Schedule first = a.schedule("a schedule");
       return max(first, a.schedule("a second schedule"));
     }},
};

}  // namespace

Schedule call(Arguments& given, std::span<const Schedule> customs) {
  if (given.function() == "custom") {
    const std::string name = given.word("a name in quotes");
    given.finish();
    const std::string text = fmt::format("custom(\"{}\")", name);
    for (const Schedule& known : customs) {
      if (known.text() == text) return known;
    }
    given.error_at_last(fmt::format("no custom schedule '{}' was given to parse", name));
  }
  std::string names;
  for (const auto& [name, make] : makers) {
    if (name == given.function()) {
      const Schedule result = make(given);
      given.finish();
      return result;
    }
    names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
  }
  given.error(fmt::format("unknown schedule '{}'; there are {} and custom", given.function(), names));
}

}  // namespace temper::optim::detail
