#include <temper/optim/schedule.hpp>

#include <algorithm>
#include <cmath>
#include <ostream>

#include "optim/schedule_internal.hpp"

namespace temper::optim {

using detail::ScheduleNode;
using Form = ScheduleNode::Form;
using Level = ScheduleNode::Level;

namespace {

const ScheduleNode& node(const Schedule& schedule) { return ScheduleNode::of(schedule); }

/// The text as the object of `.then` and other methods.
std::string target_text(const Schedule& schedule) {
  const Form form = node(schedule).form;
  return form == Form::product || form == Form::sum ? "(" + schedule.text() + ")" : schedule.text();
}

/// The text as a factor of a product.
std::string factor_text(const Schedule& schedule) {
  return node(schedule).form == Form::sum ? "(" + schedule.text() + ")" : schedule.text();
}

/// The longer of two lengths, where numbers do not count.
Step common_length(const Schedule& a, const Schedule& b) {
  if (a.is_number()) return b.length();
  if (b.is_number()) return a.length();
  return std::max(a.length(), b.length());
}

std::vector<Schedule> links(const Schedule& schedule) {
  return node(schedule).form == Form::chain ? node(schedule).parts : std::vector{schedule};
}

std::vector<Schedule> factors(const Schedule& schedule) {
  if (schedule.is_number()) return {};
  return node(schedule).form == Form::product ? node(schedule).parts : std::vector{schedule};
}

double numeric_factor(const Schedule& schedule) {
  const Form form = node(schedule).form;
  return form == Form::number || form == Form::product ? node(schedule).number : 1.0;
}

std::string product_text(const std::vector<Schedule>& parts) {
  std::string text;
  for (const Schedule& part : parts) text += (text.empty() ? "" : " * ") + factor_text(part);
  return text;
}

std::vector<Schedule> terms(const Schedule& schedule) {
  return node(schedule).form == Form::sum ? node(schedule).parts : std::vector{schedule};
}

std::string sum_text(const std::vector<Schedule>& parts) {
  std::string text = parts.front().text();
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const bool minus = numeric_factor(parts[i]) < 0.0;
    text += (minus ? " - " : " + ") + (minus ? factor_text(-1.0 * parts[i]) : parts[i].text());
  }
  return text;
}

/// The level of a combination at its first or last step: scaled if any part is, constant if all are.
Level common_level(const std::vector<Schedule>& parts, Level ScheduleNode::*end) {
  bool constant = true;
  for (const Schedule& part : parts) {
    if (node(part).*end == Level::scaled) return Level::scaled;
    constant = constant && node(part).*end == Level::constant;
  }
  return constant ? Level::constant : Level::peak_one;
}

/// A schedule that is made of `whole` by cutting, skipping or repeating.
Schedule derived(const Schedule& whole, std::string text, Step length, std::function<double(Step)> at) {
  return ScheduleNode::wrap({.text = std::move(text),
                             .length = length,
                             .at = std::move(at),
                             .first = node(whole).first,
                             .last = node(whole).last});
}

void check_joint(const Schedule& first, const Schedule& next) {
  if (first.length() == endless) {
    fail<ValueError>("{}.then({}): {} never ends; cut(steps) gives it an end", target_text(first), next.text(),
                     first.text());
  }
  if (node(first).last != Level::scaled || node(next).first != Level::peak_one) return;
  const Schedule scaled = links(first).back();
  if (node(scaled).form != Form::product) {
    fail<ValueError>("{}.then({}): {} is scaled and {} is not, so the value would jump; scale the whole",
                     target_text(first), next.text(), scaled.text(), links(next).front().text());
  }
  const double number = numeric_factor(scaled);
  const std::string parts = product_text(factors(scaled));
  fail<ValueError>(
      "{}.then({}): {} is scaled and {} is not, so the value would jump; scale the whole: {} * {}.then({})",
      target_text(first), next.text(), scaled.text(), links(next).front().text(), number,
      factors(scaled).size() > 1 ? "(" + parts + ")" : parts, next.text());
}

}  // namespace

namespace detail {

std::string call_text(std::string_view name, std::string_view arguments, std::initializer_list<Option> options) {
  std::string text;
  for (const Option& option : options) {
    if (option.text.empty()) continue;
    text += fmt::format("{}.{} = {}", text.empty() ? "" : ", ", option.name, option.text);
  }
  return text.empty() ? fmt::format("{}({})", name, arguments) : fmt::format("{}({}, {{{}}})", name, arguments, text);
}

void check_steps(const char* name, Step n, Step least) {
  if (n < least) fail<ValueError>("{}: {} steps, expected at least {}", name, n, least);
}

void check_finite(const char* name, const char* what, double value) {
  if (!std::isfinite(value)) fail<ValueError>("{}: {} is {}, expected a finite number", name, what, value);
}

}  // namespace detail

Schedule::Schedule(double value) {
  if (std::isnan(value)) fail<ValueError>("schedule: NaN is no value");
  *this = ScheduleNode::wrap({.form = Form::number,
                              .text = fmt::format("{}", value),
                              .at = [value](Step) { return value; },
                              .number = value,
                              .first = Level::constant,
                              .last = Level::constant});
}

double Schedule::operator()(Step k) const {
  if (k < 0) fail<ValueError>("{}: step {}, expected at least 0", text(), k);
  return node_->at(std::min(k, node_->length));
}

Step Schedule::length() const { return node_->length; }
const std::string& Schedule::text() const { return node_->text; }
bool Schedule::is_number() const { return node_->form == Form::number; }

Schedule Schedule::then(const Schedule& next) const {
  check_joint(*this, next);
  if (length() == 0) return next;
  std::vector<Schedule> parts = links(*this);
  if (parts.back().length() == 0) parts.pop_back();  // it has an end value only, which the next part replaces
  for (const Schedule& link : links(next)) parts.push_back(link);

  ScheduleNode result{.form = Form::chain};
  result.length = 0;
  for (const Schedule& link : parts) {
    result.text += result.text.empty() ? target_text(link) : fmt::format(".then({})", link.text());
    if (link.length() == endless) result.length = endless;
    if (result.length == endless) break;
    if (link.length() > endless - result.length) fail<ValueError>("{}: longer than 2^63 steps", result.text);
    result.length += link.length();
  }
  result.first = node(parts.front()).first;
  result.last = node(parts.back()).last;
  result.at = [parts](Step k) {
    std::size_t i = 0;
    for (; i + 1 < parts.size() && k >= parts[i].length(); ++i) k -= parts[i].length();
    return parts[i](k);
  };
  result.parts = std::move(parts);
  return ScheduleNode::wrap(std::move(result));
}

Schedule Schedule::cut(StepCount count) const {
  const Step steps = count;
  detail::check_steps("cut", steps);
  if (is_number()) return constant(node_->number, steps);
  if (steps >= length()) return *this;
  return derived(*this, fmt::format("{}.cut({})", target_text(*this), steps), steps,
                 [whole = *this](Step k) { return whole(k); });
}

Schedule Schedule::skip(StepCount count) const {
  const Step steps = count;
  detail::check_steps("skip", steps);
  if (steps == 0 || is_number()) return *this;
  const Step left = length() == endless ? endless : std::max<Step>(0, length() - steps);
  return derived(*this, fmt::format("{}.skip({})", target_text(*this), steps), left,
                 [whole = *this, steps](Step k) { return whole(k > endless - steps ? endless : k + steps); });
}

Schedule Schedule::repeat(StepCount count) const {
  const Step times = count;
  detail::check_steps("repeat", times, 1);
  const Step period = length();
  if (period == endless) fail<ValueError>("{}.repeat(): {} never ends", target_text(*this), text());
  if (period == 0 || times == 1) return *this;
  const Step total = times > endless / period ? endless : times * period;
  const std::string argument = times == endless ? "" : fmt::format("{}", times);
  return derived(*this, fmt::format("{}.repeat({})", target_text(*this), argument), total,
                 [whole = *this, period, total](Step k) { return whole(k < total ? k % period : period); });
}

Schedule operator*(const Schedule& a, const Schedule& b) {
  const double number = numeric_factor(a) * numeric_factor(b);
  std::vector<Schedule> parts = factors(a);
  for (const Schedule& factor : factors(b)) parts.push_back(factor);
  if (parts.empty()) return Schedule(number);
  if (number == 1.0 && parts.size() == 1) return parts.front();
  ScheduleNode result{.form = Form::product, .number = number};
  result.text = number == 1.0 ? product_text(parts) : fmt::format("{} * {}", number, product_text(parts));
  result.length = common_length(a, b);
  const auto level = [&](Level ScheduleNode::*end) {
    const Level common = common_level(parts, end);
    return common == Level::peak_one && std::abs(number) != 1.0 ? Level::scaled : common;
  };
  result.first = level(&ScheduleNode::first);
  result.last = level(&ScheduleNode::last);
  result.at = [number, parts](Step k) {
    double value = parts.front()(k);
    for (std::size_t i = 1; i < parts.size(); ++i) value *= parts[i](k);
    return number * value;
  };
  result.parts = std::move(parts);
  return ScheduleNode::wrap(std::move(result));
}

Schedule operator+(const Schedule& a, const Schedule& b) {
  std::vector<Schedule> parts = terms(a);
  for (const Schedule& term : terms(b)) {
    if (parts.back().is_number() && term.is_number()) {
      parts.back() = Schedule(numeric_factor(parts.back()) + numeric_factor(term));
    } else {
      parts.push_back(term);
    }
  }
  if (parts.size() == 1) return parts.front();
  ScheduleNode result{.form = Form::sum, .text = sum_text(parts), .length = common_length(a, b)};
  result.first = common_level(parts, &ScheduleNode::first);
  result.last = common_level(parts, &ScheduleNode::last);
  result.at = [parts](Step k) {
    double value = parts.front()(k);
    for (std::size_t i = 1; i < parts.size(); ++i) value += parts[i](k);
    return value;
  };
  result.parts = std::move(parts);
  return ScheduleNode::wrap(std::move(result));
}

Schedule operator-(const Schedule& a, const Schedule& b) { return a + -1.0 * b; }

std::ostream& operator<<(std::ostream& out, const Schedule& schedule) { return out << schedule.text(); }

namespace {

Schedule extreme(const char* name, const Schedule& a, const Schedule& b,
                 const double& (*choose)(const double&, const double&)) {
  return ScheduleNode::wrap({.text = fmt::format("{}({}, {})", name, a.text(), b.text()),
                             .length = common_length(a, b),
                             .at = [a, b, choose](Step k) { return choose(a(k), b(k)); },
                             .first = common_level({a, b}, &ScheduleNode::first),
                             .last = common_level({a, b}, &ScheduleNode::last)});
}

}  // namespace

Schedule min(const Schedule& a, const Schedule& b) { return extreme("min", a, b, std::min<double>); }
Schedule max(const Schedule& a, const Schedule& b) { return extreme("max", a, b, std::max<double>); }

}  // namespace temper::optim
