// What a sweep tries: values, their combinations, and rounds.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <optional>
#include <random>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/run/sweep_internal.hpp"

namespace temper::sweep {

namespace {

constexpr std::int64_t most_runs = 10'000;

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool read = error == std::errc() && end == text.data() + text.size() && std::isfinite(value);
  return read ? std::optional(value) : std::nullopt;
}

/// Split at commas outside of parentheses and braces, which are those of a schedule.
std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts(1);
  int depth = 0;
  for (const char c : text) {
    depth += c == '(' || c == '{' ? 1 : c == ')' || c == '}' ? -1 : 0;
    if (c == ',' && depth <= 0) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

/// Numbers from std::mt19937_64, whose sequence the standard fixes; its distributions are not.
class Draws {
 public:
  explicit Draws(std::uint64_t seed) : engine_(seed) {}
  double uniform() { return static_cast<double>(engine_() >> 11) * 0x1p-53; }
  std::vector<std::int64_t> permutation(std::int64_t n) {
    std::vector<std::int64_t> order(static_cast<std::size_t>(n));
    std::iota(order.begin(), order.end(), std::int64_t{0});
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[engine_() % i]);
    return order;
  }

 private:
  std::mt19937_64 engine_;
};

/// The value of a range at a place from 0 to below 1.
std::string value_at(const Tried& tried, double place) {
  const auto& [name, values, low, high, log, whole] = tried;
  // A whole number has as much of the range as any other, the ends included.
  const double from = whole ? low - 0.5 : low, to = whole ? high + 0.5 : high;
  const double value = log ? from * std::pow(to / from, place) : from + (to - from) * place;
  if (whole) return fmt::format("{:.0f}", std::clamp(std::round(value), low, high));
  const std::string text = fmt::format("{:.4g}", value);
  return *number(text) < low ? fmt::format("{}", low) : *number(text) > high ? fmt::format("{}", high) : text;
}

std::vector<std::string> combination(const std::vector<Tried>& tried, std::int64_t index) {
  std::vector<std::string> values(tried.size());
  for (std::size_t i = tried.size(); i-- > 0;) {
    const auto count = static_cast<std::int64_t>(tried[i].values.size());
    values[i] = tried[i].values[static_cast<std::size_t>(index % count)];
    index /= count;
  }
  return values;
}

}  // namespace

Tried read_tried(const std::string& text, const std::function<bool(const std::string& option)>& whole) {
  const std::string shown = detail::printable(text);
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
    fail<ValueError>(
        "--try '{}': expected an option and its values, as in lr=1e-4..1e-2:log or weight-decay=0,0.01,0.1", shown);
  }
  Tried tried{.name = text.substr(text.starts_with("--") ? 2 : 0, equals - (text.starts_with("--") ? 2 : 0))};
  try {
    tried.whole = whole("--" + tried.name);
  } catch (const ValueError& error) {
    fail<ValueError>("--try '{}': {}", shown, error.what());
  }
  std::string values = text.substr(equals + 1);
  const auto dots = values.find("..");
  const auto low = dots == std::string::npos ? std::nullopt : number(std::string_view(values).substr(0, dots));
  if (!low) {
    tried.values = split(values);
    for (const std::string& value : tried.values) {
      if (value.empty()) fail<ValueError>("--try '{}': there is nothing between two commas, expected a value", shown);
      if (std::ranges::count(tried.values, value) > 1) fail<ValueError>("--try '{}': {} is there twice", shown, value);
    }
    return tried;
  }
  tried.log = values.ends_with(":log");
  if (tried.log) values.resize(values.size() - 4);
  const auto high = number(std::string_view(values).substr(dots + 2));
  if (!high || !(*low < *high)) {
    fail<ValueError>("--try '{}': expected a range LOW..HIGH of two numbers, the smaller first, or LOW..HIGH:log", shown);
  }
  if (tried.log && !(*low > 0)) {
    fail<ValueError>("--try '{}': a logarithmic range from {}, expected one that begins above 0", shown, *low);
  }
  if (tried.whole && (*low != std::round(*low) || *high != std::round(*high))) {
    fail<ValueError>("--try '{}': --{} takes whole numbers, expected them as the ends of the range", shown, tried.name);
  }
  tried.low = *low;
  tried.high = *high;
  return tried;
}

std::vector<std::vector<std::string>> draw(const std::vector<Tried>& tried, std::int64_t runs, std::uint64_t seed) {
  if (tried.empty()) fail<ValueError>("sweep: there is nothing to try; expected --try OPTION=VALUES at least once");
  if (runs > most_runs) fail<ValueError>("--runs: {} runs, expected at most {}", runs, most_runs);
  std::vector<std::vector<std::string>> all;
  Draws draws(seed);
  const auto range = std::ranges::find_if(tried, [](const Tried& each) { return each.values.empty(); });
  if (range == tried.end()) {
    std::int64_t combinations = 1;
    for (const Tried& each : tried) {
      combinations *= static_cast<std::int64_t>(each.values.size());
      if (combinations > most_runs) {
        fail<ValueError>("--try: the lists have more than {} combinations; --try a range, or fewer values", most_runs);
      }
    }
    std::vector<std::int64_t> chosen = draws.permutation(combinations);
    if (runs > 0 && runs < combinations) chosen.resize(static_cast<std::size_t>(runs));
    std::ranges::sort(chosen);
    for (const std::int64_t index : chosen) all.push_back(combination(tried, index));
    return all;
  }
  if (runs == 0) {
    fail<ValueError>("--try {}={}..{} is a range, of which any number of values can be tried; --runs says how many",
                     range->name, range->low, range->high);
  }
  all.resize(static_cast<std::size_t>(runs));
  for (const Tried& each : tried) {
    const std::vector<std::int64_t> parts = draws.permutation(runs);
    for (std::size_t run = 0; run < all.size(); ++run) {
      if (each.values.empty()) {
        all[run].push_back(
            value_at(each, (static_cast<double>(parts[run]) + draws.uniform()) / static_cast<double>(runs)));
      } else {
        all[run].push_back(each.values[static_cast<std::size_t>(parts[run]) % each.values.size()]);
      }
    }
  }
  return all;
}

std::vector<Round> rounds_of(std::int64_t runs, std::int64_t rounds, std::int64_t factor) {
  std::vector<Round> all;
  for (std::int64_t count = runs; count > 0 && std::ssize(all) < rounds; count /= factor) all.push_back({count, 1.0});
  for (std::size_t i = all.size(); i-- > 1;) all[i - 1].part = all[i].part / static_cast<double>(factor);
  return all;
}

}  // namespace temper::sweep
