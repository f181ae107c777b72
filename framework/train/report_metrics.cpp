// Reads the metrics.jsonl of a run, which may have been killed while it wrote a line.

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include <nlohmann/json.hpp>

#include "framework/train/report_internal.hpp"

namespace temper::detail {

namespace {

using Json = nlohmann::ordered_json;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// A finite number. Non-finite ones are written as null (JSON has no NaN); strings such as "inf" count as well.
std::optional<double> value_of(const Json& value) {
  if (value.is_number()) return value.get<double>();
  if (value.is_null()) return nan;
  constexpr std::array<std::string_view, 6> names = {"nan", "inf", "-inf", "NaN", "Infinity", "-Infinity"};
  if (value.is_string() && std::ranges::find(names, value.get_ref<const std::string&>()) != names.end()) return nan;
  return std::nullopt;
}

MetricSeries& find_series(std::vector<MetricSeries>& all, const std::string& name) {
  const auto found = std::ranges::find(all, name, &MetricSeries::name);
  return found != all.end() ? *found : all.emplace_back(MetricSeries{name, {}});
}

void rewind(RunMetrics& metrics, double step) {
  for (MetricSeries& series : metrics.series) {
    while (!series.points.empty() && series.points.back().step >= step) series.points.pop_back();
  }
}

void add_line(RunMetrics& metrics, const Json& line, double step) {
  // A phase, such as pretraining, counts its own epochs and has its own loss.
  const auto phase = line.find("phase");
  const bool named = phase != line.end() && phase->is_string();
  if (named) metrics.phases = true;
  const auto epoch = line.find("epoch");
  if (epoch != line.end() && epoch->is_number() && epoch->get<double>() > 0) {
    // step / epoch is at most the steps of an epoch, and largest in the last line of an epoch.
    metrics.steps_per_epoch = std::max(metrics.steps_per_epoch, step / epoch->get<double>());
  }
  const auto time = line.find("time");
  const double seconds = time != line.end() && time->is_number() ? time->get<double>() : nan;
  for (const auto& [name, value] : line.items()) {
    if (name == "step" || name == "epoch" || name == "time") continue;
    const std::optional<double> number = value_of(value);
    if (!number) continue;
    const bool own = named && name.starts_with("train/");
    auto& points = find_series(metrics.series, own ? phase->get<std::string>() + name.substr(5) : name).points;
    if (!points.empty() && points.back().step == step) points.pop_back();
    points.push_back({step, seconds, std::isfinite(*number) ? *number : nan});
  }
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

}  // namespace

RunMetrics read_metrics(std::istream& lines) {
  RunMetrics metrics;
  double last_step = -std::numeric_limits<double>::infinity();
  std::string text;
  for (std::int64_t number = 1; std::getline(lines, text); ++number) {
    if (trimmed(text).empty()) continue;
    const Json line = Json::parse(text, nullptr, false);
    const bool readable = line.is_object() && line.contains("step") && line["step"].is_number() &&
                          std::abs(line["step"].get<double>()) < 1e15;
    if (!readable) {
      // A last line without a newline: the run was killed while writing it.
      if (lines.eof()) break;
      if (metrics.unreadable++ == 0) metrics.first_unreadable = number;
      continue;
    }
    const double step = line["step"].get<double>();
    if (step < last_step) rewind(metrics, step);
    last_step = step;
    add_line(metrics, line, step);
  }
  if (metrics.phases) metrics.steps_per_epoch = 0;
  return metrics;
}

}  // namespace temper::detail
