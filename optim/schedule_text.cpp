// The parser of the texts of schedules.

#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include "optim/schedule_internal.hpp"
#include "optim/schedule_text_internal.hpp"

namespace temper::optim {

using detail::Argument;
using detail::Arguments;

namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Parser {
 public:
  Parser(std::string_view text, std::span<const Schedule> customs) : text_(text), customs_(customs) {}

  Schedule whole() {
    Schedule result = sum();
    if (at_ != text_.size()) expected("'*', '+', '-', '.' or the end");
    return result;
  }

 private:
  [[noreturn]] void error(std::size_t column, const std::string& what) const {
    detail::ScheduleText{text_}.error(column, what);
  }
  [[noreturn]] void expected(const char* what) const {
    error(at_, at_ < text_.size() ? fmt::format("expected {}, got '{}'", what, text_[at_])
                                  : fmt::format("expected {}, but the text ends", what));
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void blanks() {
    while (peek() == ' ' || peek() == '\t') ++at_;
  }
  bool take(char c) {
    if (peek() != c) return false;
    ++at_;
    blanks();
    return true;
  }
  void need(char c) {
    if (!take(c)) expected(fmt::format("'{}'", c).c_str());
  }

  std::string name() {
    const std::size_t begin = at_;
    while (is_letter(peek()) || (at_ > begin && (is_digit(peek()) || peek() == ':'))) ++at_;
    std::string result(text_.substr(begin, at_ - begin));
    if (result.empty()) expected("a name");
    blanks();
    return result;
  }

  bool at_number() const {
    const std::string_view rest = text_.substr(at_);
    return is_digit(peek()) || peek() == '.' || peek() == '-' ||
           (rest.starts_with("inf") && !(rest.size() > 3 && is_letter(rest[3])));
  }
  double number() {
    double value = 0.0;
    const auto [end, status] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (status == std::errc::result_out_of_range) error(at_, "this number is out of range");
    if (status != std::errc() || std::isnan(value)) expected("a number");
    at_ = static_cast<std::size_t>(end - text_.data());
    blanks();
    return value;
  }
  /// An integer that is followed by a bracket or comma. Read apart from doubles, which are exact only up to 2^53.
  std::optional<Step> whole_number() const {
    Step value = 0;
    const auto [end, status] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (status != std::errc()) return std::nullopt;
    const std::size_t next = text_.find_first_not_of(" \t", static_cast<std::size_t>(end - text_.data()));
    if (next == std::string_view::npos || std::string_view(",)}").find(text_[next]) == std::string_view::npos) {
      return std::nullopt;
    }
    return value;
  }
  /// Calls make(), and adds the column to a ValueError that it throws.
  template <class F>
  Schedule located(std::size_t column, F make) const {
    try {
      return make();
    } catch (const ValueError& problem) {
      const std::string_view what = problem.what();
      if (what.starts_with("schedule, column")) throw;
      error(column, std::string(what));
    }
  }

  Schedule sum();
  Schedule product();
  Schedule chain();
  Schedule primary();
  std::vector<Argument> arguments();
  void option_value(Argument& option);
  void options(std::vector<Argument>& result);
  Schedule call(std::size_t column, const std::string& function);

  std::string_view text_;
  std::span<const Schedule> customs_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

Schedule Parser::sum() {
  if (++depth_ > 100) error(at_, "nested more than 100 deep");
  blanks();
  Schedule result = product();
  while (true) {
    if (take('+')) {
      result = result + product();
    } else if (take('-')) {
      result = result - product();
    } else {
      break;
    }
  }
  --depth_;
  return result;
}

Schedule Parser::product() {
  Schedule result = chain();
  while (take('*')) result = result * chain();
  return result;
}

Schedule Parser::chain() {
  Schedule result = primary();
  while (true) {
    const std::size_t column = at_;
    if (!take('.')) return result;
    const std::string method = name();
    Arguments given({text_}, column, method, arguments());
    result = located(column, [&] {
      if (method == "then") {
        const Schedule next = given.schedule("a schedule");
        given.finish();
        return result.then(next);
      }
      if (method == "repeat" && !given.more()) {
        given.finish();
        return result.repeat();
      }
      if (method != "cut" && method != "skip" && method != "repeat") {
        error(column + 1, fmt::format("unknown '.{}', expected .then, .cut, .skip or .repeat", method));
      }
      const Step count = given.steps();
      given.finish();
      return method == "cut" ? result.cut(count) : method == "skip" ? result.skip(count) : result.repeat(count);
    });
  }
}

Schedule Parser::primary() {
  if (take('(')) {
    Schedule result = sum();
    need(')');
    return result;
  }
  if (at_number()) return Schedule(number());
  if (!is_letter(peek())) expected("a number, a schedule or '('");
  const std::size_t column = at_;
  const std::string function = name();
  return call(column, function);
}

/// Parses `= value` after the name of an option; the value is a number, true or false.
void Parser::option_value(Argument& option) {
  need('=');
  if (is_letter(peek()) && !at_number()) {
    const std::size_t column = at_;
    const std::string word = name();
    if (word != "true" && word != "false") error(column, fmt::format("expected a number, true or false, got {}", word));
    option.schedule = Schedule(word == "true" ? 1.0 : 0.0);
    return;
  }
  option.whole = whole_number();
  option.schedule = Schedule(number());
}

/// Parses `name = value, ...` up to the closing bracket; names may begin with a point.
void Parser::options(std::vector<Argument>& result) {
  do {
    Argument option{.column = at_};
    take('.');
    option.option = name();
    option_value(option);
    result.push_back(std::move(option));
  } while (take(','));
}

std::vector<Argument> Parser::arguments() {
  std::vector<Argument> result;
  need('(');
  if (take(')')) return result;
  do {
    Argument argument{.column = at_};
    if (take('{')) {
      if (peek() == '.') {
        options(result);
        need('}');
        continue;
      }
      argument.list.emplace();
      while (peek() != '}') {
        const std::size_t column = at_;
        const std::optional<Step> whole = whole_number();
        argument.list->push_back(detail::ScheduleText{text_}.steps(column, whole, number()));
        if (!take(',')) break;
      }
      need('}');
    } else if (peek() == '"') {
      const std::size_t end = text_.find('"', at_ + 1);
      if (end == std::string_view::npos) error(at_, "this quote is not closed");
      argument.word = std::string(text_.substr(at_ + 1, end - at_ - 1));
      at_ = end + 1;
      blanks();
    } else if (is_letter(peek()) && !at_number()) {
      const std::string word = name();
      if (peek() == '=') {
        argument.option = word;
        option_value(argument);
      } else if (peek() != '(') {
        argument.word = word;
      } else {
        at_ = argument.column;
        argument.schedule = sum();
      }
    } else {
      argument.whole = whole_number();
      argument.schedule = sum();
    }
    result.push_back(std::move(argument));
  } while (take(','));
  need(')');
  return result;
}

Schedule Parser::call(std::size_t column, const std::string& function) {
  if (peek() != '(') {
    expected(fmt::format("'(' after '{}'", function).c_str());
  }
  Arguments given({text_}, column, function, arguments());
  return located(column, [&] { return detail::call(given, customs_); });
}

}  // namespace

Schedule parse(std::string_view text, std::span<const Schedule> customs) { return Parser(text, customs).whole(); }

}  // namespace temper::optim
