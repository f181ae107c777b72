#pragma once

// Shared by the parser of schedules (schedule_text.cpp) and the functions it can call (schedule_calls.cpp).

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <temper/optim/schedule.hpp>

namespace temper::optim::detail {

/// The text of a schedule, for errors that point into it.
struct ScheduleText {
  std::string_view text;

  /// Throws: ValueError with the text and a mark below the column.
  [[noreturn]] void error(std::size_t column, const std::string& what) const;
  /// A number as a number of steps: `whole` if the text is an integer, else `value`, which must be one.
  Step steps(std::size_t column, std::optional<Step> whole, double value) const;
};

/// An argument of a call.
struct Argument {
  std::size_t column = 0;
  std::optional<Schedule> schedule{};  // also for every plain number
  std::optional<Step> whole{};         // for a plain integer, as doubles are exact only up to 2^53
  std::optional<std::vector<Step>> list{};
  std::optional<std::string> word{};    // "quoted" or Warmup::zero_based
  std::optional<std::string> option{};  // the name, if the argument is `name = value`
  bool used = false;
};

/// The arguments of a call, taken one after another. Errors name the function and point to the argument.
class Arguments {
 public:
  Arguments(ScheduleText text, std::size_t column, std::string function, std::vector<Argument> arguments)
      : text_(text), column_(column), function_(std::move(function)), arguments_(std::move(arguments)) {}

  const std::string& function() const { return function_; }
  [[noreturn]] void error(const std::string& what) const { text_.error(column_, what); }
  /// The same, pointing to the argument taken last.
  [[noreturn]] void error_at_last(const std::string& what) const { text_.error(arguments_[next_ - 1].column, what); }

  // Each takes the next argument; `what` says in errors what is expected.
  Schedule schedule(const char* what);
  double number(const char* what);
  Step steps(const char* what = "the number of steps");
  std::vector<Step> list(const char* what);
  std::string word(const char* what);
  /// The argument taken last, as a number of steps.
  Step last_steps() const;
  /// Whether there is another one, options not counted.
  bool more() const { return next_ < arguments_.size() && !arguments_[next_].option; }

  // Options by name, with their default values.
  double option(const char* name, double fallback);
  Step step_option(const char* name, Step fallback);
  bool flag(const char* name);

  /// Throws: ValueError when an argument was not taken.
  void finish() const;

 private:
  const Argument* find_option(const char* name);
  Argument& take(const char* what);

  ScheduleText text_;
  std::size_t column_;
  std::string function_;
  std::vector<Argument> arguments_;
  std::size_t next_ = 0;
  std::string known_;  // the options asked for, for errors
};

/// Calls the function that the arguments are for. `customs` are those that custom("name") may refer to.
Schedule call(Arguments& given, std::span<const Schedule> customs);

}  // namespace temper::optim::detail
