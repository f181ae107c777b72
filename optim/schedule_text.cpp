// Reads schedules back from their texts.

#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include <temper/optim/ademamix.hpp>

#include "optim/schedule_internal.hpp"

namespace temper::optim {

namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// What stands between the parentheses of a call.
struct Argument {
  std::size_t column = 0;
  std::optional<Schedule> schedule{};  // also every plain number
  std::optional<Step> whole{};         // a plain number that is whole, exactly
  std::optional<std::vector<Step>> list{};
  std::optional<std::string> word{};    // "quoted" or Warmup::zero_based
  std::optional<std::string> option{};  // the name, when written as one
  bool used = false;
};

class Parser {
 public:
  Parser(std::string_view text, std::span<const Schedule> customs) : text_(text), customs_(customs) {}

  Schedule whole() {
    Schedule result = sum();
    if (at_ != text_.size()) expected("'*', '+', '-', '.' or the end");
    return result;
  }

 private:
  friend class Arguments;

  [[noreturn]] void error(std::size_t column, const std::string& what) const {
    fail<ValueError>("schedule, column {}: {}\n  {}\n  {:>{}}", column + 1, what, text_, "^", column + 1);
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
  /// A whole number that is all there is up to the next bracket or comma. Doubles hold it only up to 2^53.
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
  Step steps(std::size_t column, std::optional<Step> whole, double value) const {
    if (whole) return *whole;
    if (value != std::floor(value) || std::abs(value) > 0x1p53) {
      error(column, fmt::format("expected a whole number of steps, got {}", value));
    }
    return static_cast<Step>(value);
  }

  /// Runs what may throw a ValueError of its own, and adds where that was.
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

/// Hands out the arguments of a call in order and checks that none is left.
class Arguments {
 public:
  Arguments(const Parser& parser, std::size_t column, const std::string& function, std::vector<Argument> arguments)
      : parser_(parser), column_(column), function_(function), arguments_(std::move(arguments)) {}

  Schedule schedule(const char* what) {
    Argument& next = positional(what);
    if (!next.schedule) parser_.error(next.column, fmt::format("expected {}", what));
    return *next.schedule;
  }
  double number(const char* what) {
    Argument& next = positional(what);
    if (!next.schedule || !next.schedule->is_number())
      parser_.error(next.column, fmt::format("expected {}, a number", what));
    return (*next.schedule)(0);
  }
  Step steps(const char* what = "the number of steps") {
    number(what);
    return last_steps();
  }
  /// What the last one was, as a number of steps.
  Step last_steps() const {
    const Argument& last = arguments_[at_ - 1];
    return parser_.steps(last.column, last.whole, (*last.schedule)(0));
  }
  std::vector<Step> list(const char* what) {
    Argument& next = positional(what);
    if (!next.list) parser_.error(next.column, fmt::format("expected {}, as {{30, 60}}", what));
    return *next.list;
  }
  std::string word(const char* what) {
    Argument& next = positional(what);
    if (!next.word) parser_.error(next.column, fmt::format("expected {}", what));
    return *next.word;
  }
  bool more() const { return at_ < arguments_.size() && !arguments_[at_].option; }
  std::size_t last_column() const { return arguments_[at_ - 1].column; }

  double option(const char* name, double usual) {
    const Argument* given = find_option(name);
    return given != nullptr ? (*given->schedule)(0) : usual;
  }
  Step step_option(const char* name, Step usual) {
    const Argument* given = find_option(name);
    return given != nullptr ? parser_.steps(given->column, given->whole, (*given->schedule)(0)) : usual;
  }
  bool flag(const char* name) {
    const Argument* given = find_option(name);
    if (given == nullptr) return false;
    const double value = (*given->schedule)(0);
    if (value != 0.0 && value != 1.0) parser_.error(given->column, fmt::format("{}: expected true or false", name));
    return value == 1.0;
  }

  void finish() const {
    for (const Argument& argument : arguments_) {
      if (argument.used) continue;
      if (!argument.option) parser_.error(argument.column, fmt::format("{}: one argument too many", function_));
      parser_.error(argument.column,
                    known_.empty()
                        ? fmt::format("{} has no options, got '{}'", function_, *argument.option)
                        : fmt::format("{} has no option '{}'; it has {}", function_, *argument.option, known_));
    }
  }

 private:
  const Argument* find_option(const char* name) {
    known_ += fmt::format("{}{}", known_.empty() ? "" : ", ", name);
    const Argument* given = nullptr;
    for (Argument& argument : arguments_) {
      if (argument.option != name) continue;
      if (given != nullptr) parser_.error(argument.column, fmt::format("{} is given twice", name));
      argument.used = true;
      given = &argument;
    }
    return given;
  }
  Argument& positional(const char* what) {
    if (!more()) parser_.error(column_, fmt::format("{}: expected {}", function_, what));
    arguments_[at_].used = true;
    return arguments_[at_++];
  }

  const Parser& parser_;
  std::size_t column_;
  const std::string& function_;
  std::vector<Argument> arguments_;
  std::size_t at_ = 0;
  std::string known_;
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
    Arguments given(*this, column, method, arguments());
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

/// What follows the name of an option: a number, true or false.
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

/// name = value, ... up to the closing bracket; names may begin with a point.
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
        argument.list->push_back(steps(column, whole, number()));
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
  using Make = Schedule (*)(Arguments&);
  static constexpr std::pair<std::string_view, Make> makers[] = {
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
      {"linear_decay",
       [](Arguments& a) {
         const Step n = a.steps();
         return linear_decay(n, {.end = a.option("end", 0.0)});
       }},
      {"cosine",
       [](Arguments& a) {
         const Step n = a.steps();
         return cosine(n, {.end = a.option("end", 0.0)});
       }},
      {"sqrt_decay",
       [](Arguments& a) {
         const Step n = a.steps();
         return sqrt_decay(n, {.end = a.option("end", 0.0)});
       }},
      {"square_decay",
       [](Arguments& a) {
         const Step n = a.steps();
         return square_decay(n, {.end = a.option("end", 0.0)});
       }},
      {"rex",
       [](Arguments& a) {
         const Step n = a.steps();
         return rex(n, {.end = a.option("end", 0.0)});
       }},
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
         const OneCycleOptions usual;
         return one_cycle(n, {.rise = a.option("rise", usual.rise),
                              .start = a.option("start", usual.start),
                              .end = a.option("end", usual.end),
                              .linear = a.flag("linear")});
       }},
      {"cyclic",
       [](Arguments& a) {
         const Step up = a.steps();
         const CyclicOptions usual;
         return cyclic(up, {.down = a.step_option("down", 0),
                            .low = a.option("low", usual.low),
                            .shrink = a.option("shrink", usual.shrink),
                            .gamma = a.option("gamma", usual.gamma)});
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

  if (peek() != '(') {
    expected(fmt::format("'(' after '{}'", function).c_str());
  }
  Arguments given(*this, column, function, arguments());
  return located(column, [&]() -> Schedule {
    if (function == "warmup") {
      const Step n = given.steps();
      Warmup start = Warmup::one_based;
      if (given.more()) {
        const std::string word = given.word("Warmup::one_based or Warmup::zero_based");
        if (word == "Warmup::zero_based") {
          start = Warmup::zero_based;
        } else if (word != "Warmup::one_based") {
          error(given.last_column(), fmt::format("expected Warmup::one_based or Warmup::zero_based, got {}", word));
        }
      }
      given.finish();
      return warmup(n, start);
    }
    if (function == "custom") {
      const std::string name = given.word("a name in quotes");
      given.finish();
      const std::string text = fmt::format("custom(\"{}\")", name);
      for (const Schedule& known : customs_) {
        if (known.text() == text) return known;
      }
      error(given.last_column(), fmt::format("no custom schedule '{}' was given to parse", name));
    }
    std::string names = "warmup";
    for (const auto& [name, make] : makers) {
      if (name == function) {
        const Schedule result = make(given);
        given.finish();
        return result;
      }
      names += fmt::format(", {}", name);
    }
    error(column, fmt::format("unknown schedule '{}'; there are {} and custom", function, names));
  });
}

}  // namespace

Schedule parse(std::string_view text, std::span<const Schedule> customs) { return Parser(text, customs).whole(); }

}  // namespace temper::optim
