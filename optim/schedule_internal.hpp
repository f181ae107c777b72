#pragma once

// The contents of a Schedule, for the files that make schedules.

#include <string>
#include <utility>
#include <vector>

#include <temper/optim/schedule.hpp>

#include "framework/core/format_internal.hpp"

namespace temper::optim::detail {

struct ScheduleNode {
  /// The outermost form of the text, and of `parts`: the links of a chain (a.then(b)), the factors of a product, the
  /// terms of a sum.
  enum class Form { number, primary, chain, product, sum };

  Form form = Form::primary;
  std::string text{};
  Step length = endless;
  std::function<double(Step)> at{};  // called with steps up to `length`
  double number = 1.0;               // the value of a number, the numeric factor of a product
  std::vector<Schedule> parts{};
  // The level of the first and last link of a chain, which decides whether `then` would make a jump. Equal otherwise.
  enum class Level { peak_one, scaled, constant };
  Level first = Level::peak_one;
  Level last = Level::peak_one;

  static Schedule wrap(ScheduleNode node) { return Schedule(std::make_shared<const ScheduleNode>(std::move(node))); }
  static const ScheduleNode& of(const Schedule& schedule) { return *schedule.node_; }
};

/// A named option with its value, and the default value, which is not written.
struct Option {
  template <class T>
  Option(const char* its_name, T value, T usual)
      : name(its_name), text(value == usual ? std::string() : fmt::format("{}", value)) {}

  const char* name;
  std::string text;  // empty for the default value
};

/// `name(argument, {.option = value})`
std::string call_text(std::string_view name, std::string_view arguments, std::initializer_list<Option> options = {});

/// Throws: ValueError unless n >= least.
void check_steps(const char* name, Step n, Step least = 0);
/// Throws: ValueError for NaN and infinities.
void check_finite(const char* name, const char* what, double value);

}  // namespace temper::optim::detail
