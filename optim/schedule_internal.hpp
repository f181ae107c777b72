#pragma once

// What a Schedule points at, shared by the files that make schedules.

#include <string>
#include <utility>
#include <vector>

#include <temper/optim/schedule.hpp>

#include "framework/core/format_internal.hpp"

namespace temper::optim::detail {

struct ScheduleNode {
  /// What the text looks like from outside, and what `parts` holds: the links of a chain, the factors of a product, the
  /// terms of a sum.
  enum class Form { number, primary, chain, product, sum };

  Form form = Form::primary;
  std::string text{};
  Step length = endless;
  std::function<double(Step)> at{};  // asked up to `length`
  double number = 1.0;               // the value of a number, the numeric factor of a product
  std::vector<Schedule> parts{};
  // How the first and the last link of a chain go together with a neighbour; the same for all that is not a chain.
  enum class Level { peak_one, scaled, constant };
  Level first = Level::peak_one;
  Level last = Level::peak_one;

  static Schedule wrap(ScheduleNode node) { return Schedule(std::make_shared<const ScheduleNode>(std::move(node))); }
  static const ScheduleNode& of(const Schedule& schedule) { return *schedule.node_; }
};

/// A named option with the value that need not be written.
struct Option {
  template <class T>
  Option(const char* its_name, T value, T usual)
      : name(its_name), text(value == usual ? std::string() : fmt::format("{}", value)) {}

  const char* name;
  std::string text;  // empty when it is as usual
};

/// `name(argument, {.option = value})`
std::string call_text(std::string_view name, std::string_view arguments, std::initializer_list<Option> options = {});

/// Throws: ValueError unless n >= least.
void check_steps(const char* name, Step n, Step least = 0);
/// Throws: ValueError for NaN and infinities.
void check_finite(const char* name, const char* what, double value);

}  // namespace temper::optim::detail
