// A run's folder as JSON for the page.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <sstream>

#include <nlohmann/json.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/io/atomic_file_internal.hpp"
#include "framework/train/config_internal.hpp"
#include "framework/train/report_internal.hpp"

namespace temper::detail {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// A chart is at most some thousand pixels wide.
constexpr std::size_t points_per_curve = 2000;

/// Rounded to six digits, which are more than a curve can show, and halve the size of the page.
Json number(double value) {
  if (!std::isfinite(value)) return nullptr;
  const std::string digits = fmt::format("{:.6g}", value);
  double rounded = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), rounded);  // strtod would depend on the locale
  return rounded;
}

Json series_json(const MetricSeries& series) {
  Json steps = Json::array(), times = Json::array(), values = Json::array();
  const ThinCurve curve = thin(series.points, points_per_curve);
  for (const MetricPoint& point : curve.points) {
    steps.push_back(static_cast<std::int64_t>(point.step));
    times.push_back(number(point.time));
    values.push_back(number(point.value));
  }
  Json json = {{"name", series.name},
               {"median", number(median(series.points))},
               {"tail", number(tail_mean(series.points))},
               {"step", std::move(steps)},
               {"time", std::move(times)},
               {"value", std::move(values)}};
  for (const double mean : curve.means) json["mean"].push_back(number(mean));
  return json;
}

/// Warnings about unreadable lines and non-finite values.
std::vector<std::string> notices_of(const RunMetrics& metrics) {
  std::vector<std::string> notices;
  if (metrics.unreadable > 0) {
    notices.push_back(fmt::format("metrics.jsonl: {} line{} could not be read, the first is line {}",
                                  metrics.unreadable, metrics.unreadable == 1 ? "" : "s", metrics.first_unreadable));
  }
  for (const MetricSeries& series : metrics.series) {
    std::int64_t count = 0;
    double first = 0;
    for (const MetricPoint& point : series.points) {
      if (std::isnan(point.value) && count++ == 0) first = point.step;
    }
    if (count == 0) continue;
    notices.push_back(fmt::format("{}: not finite in {} of {} lines, the first at step {:.0f}", series.name, count,
                                  series.points.size(), first));
  }
  return notices;
}

/// Empty where there is no such file. Throws: FileError when there is one that cannot be read.
std::string read_text(const fs::path& path) {
  if (!path_exists(path)) return {};
  const std::vector<std::byte> bytes = read_file(path, std::numeric_limits<std::uint64_t>::max());
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool has_text(const Json& object, const char* key) { return object.contains(key) && object[key].is_string(); }

bool has_size(const Json& object, const char* key) {
  return object.contains(key) && object[key].is_number_integer() && object[key] >= 1 && object[key] <= 4096;
}

/// An object with a list of numbers, null where one is not finite.
bool has_numbers(const Json& object) {
  return object.is_object() && object.contains("values") && object["values"].is_array() &&
         std::ranges::all_of(object["values"], [](const Json& value) { return value.is_number() || value.is_null(); });
}

bool valid_chart(const Json& sample) {
  const auto all = [&](const char* key, const auto& good) {
    return sample.contains(key) && sample[key].is_array() && std::ranges::all_of(sample[key], good);
  };
  return has_text(sample, "caption") && sample.contains("x") && has_numbers(sample["x"]) &&
         has_text(sample["x"], "name") &&
         all("series",
             [&](const Json& curve) {
               return has_numbers(curve) && has_text(curve, "name") &&
                      curve["values"].size() == sample["x"]["values"].size();
             }) &&
         all("marks", [](const Json& mark) {
           return mark.is_object() && mark.contains("x") && mark["x"].is_number() && has_text(mark, "label");
         });
}

bool valid_matrix(const Json& sample) {
  const auto list = [](const Json& object, const char* key) { return object.contains(key) && object[key].is_array(); };
  return list(sample, "names") && list(sample, "rows") && sample["rows"].size() == sample["names"].size() &&
         std::ranges::all_of(sample["names"], [](const Json& name) { return name.is_string(); }) &&
         std::ranges::all_of(sample["rows"], [&](const Json& row) {
           return row.is_array() && row.size() == sample["names"].size() &&
                  std::ranges::all_of(row, [](const Json& count) { return count.is_number_integer() && count >= 0; });
         });
}

bool valid_sample(const Json& sample) {
  if (!sample.is_object() || !has_text(sample, "kind") || !has_text(sample, "title")) return false;
  if (sample["kind"] == "text") return has_text(sample, "text");
  if (sample["kind"] == "chart") return valid_chart(sample);
  if (sample["kind"] == "matrix") return valid_matrix(sample);
  return sample["kind"] == "image" && has_text(sample, "pixels") && has_text(sample, "caption") &&
         has_size(sample, "width") && has_size(sample, "height") && has_size(sample, "channels");
}

/// Adds the valid samples of a file; a notice about others.
void add_samples(Json& all, const fs::path& path, std::vector<std::string>& notices) {
  if (!path_exists(path)) return;
  const std::string file = path.filename().native();
  const Json samples = Json::parse(read_text(path), nullptr, false);
  if (!samples.is_array()) {
    notices.push_back(file + " could not be read");
    return;
  }
  std::size_t kept = 0;
  for (const Json& sample : samples) {
    if (!valid_sample(sample)) continue;
    all.push_back(sample);
    ++kept;
  }
  if (kept < samples.size()) {
    notices.push_back(
        fmt::format("{}: {} of {} samples could not be read", file, samples.size() - kept, samples.size()));
  }
}

/// A line of histograms.jsonl without its kind and name; null when it is none.
Json snapshot_of(const Json& line) {
  const auto number_at = [&](const char* key) { return line.contains(key) && line[key].is_number(); };
  const bool good = line.is_object() && has_text(line, "kind") && has_text(line, "name") && number_at("step") &&
                    number_at("low") && number_at("high") && line.contains("counts") && line["counts"].is_array() &&
                    std::ranges::all_of(line["counts"], [](const Json& count) { return count.is_number(); });
  if (!good) return nullptr;
  return {{"step", line["step"]},
          {"low", number(line["low"].get<double>())},
          {"high", number(line["high"].get<double>())},
          {"counts", line["counts"]}};
}

/// The histograms of a run: a list for each tensor, of as many steps as can be shown. A resumed run writes the lines of
/// some steps again; the last ones count.
Json histograms_of(const fs::path& file) {
  constexpr std::size_t most_shown = 60;
  Json all = Json::array();
  std::istringstream lines(read_text(file));
  for (std::string text; std::getline(lines, text);) {
    const Json line = Json::parse(text, nullptr, false);
    Json snapshot = snapshot_of(line);
    if (snapshot.is_null()) continue;
    const auto same = [&](const Json& each) { return each["kind"] == line["kind"] && each["name"] == line["name"]; };
    auto found = std::ranges::find_if(all, same);
    if (found == all.end()) {
      all.push_back({{"kind", line["kind"]}, {"name", line["name"]}, {"snapshots", Json::array()}});
      found = all.end() - 1;
    }
    Json& snapshots = (*found)["snapshots"];
    while (!snapshots.empty() && snapshots.back()["step"] >= snapshot["step"]) snapshots.erase(snapshots.end() - 1);
    snapshots.push_back(std::move(snapshot));
  }
  for (Json& each : all) {
    const Json snapshots = std::move(each["snapshots"]);
    Json& kept = each["snapshots"] = Json::array();
    const std::size_t every = (snapshots.size() + most_shown - 1) / most_shown;
    for (std::size_t i = 0; i < snapshots.size(); ++i) {
      if (i % every == 0 || i + 1 == snapshots.size()) kept.push_back(snapshots[i]);
    }
  }
  return all;
}

/// JSON text that is safe within a <script> element: a `<` is escaped, as it could begin "</script>".
std::string script_text(const Json& json) {
  std::string text;
  for (const char c : json.dump(-1, ' ', true, Json::error_handler_t::replace)) {
    if (c == '<') {
      text += "\\u003c";
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace

std::string script_json(std::string_view text) { return script_text(Json(text)); }

std::string run_json(const fs::path& folder, const std::string& name) {
  const std::string shown = printable(folder.native());
  if (!path_exists(folder)) fail<FileError>("{}: there is no such folder; expected one that a run left", shown);
  if (!fs::is_directory(folder)) fail<FileError>("{}: expected the folder of a run, this is a file", shown);
  if (!fs::is_regular_file(folder / "metrics.jsonl") && !fs::is_regular_file(folder / "config.toml")) {
    fail<FileError>("{}: not the folder of a run: it has neither metrics.jsonl nor config.toml", shown);
  }

  std::istringstream metrics_lines(read_text(folder / "metrics.jsonl"));
  const RunMetrics metrics = read_metrics(metrics_lines);
  std::vector<std::string> notices = notices_of(metrics);
  Json series = Json::array();
  for (const MetricSeries& one : metrics.series) series.push_back(series_json(one));
  Config config;
  try {
    config = read_config(read_text(folder / "config.toml"));
  } catch (const FileError& error) {
    notices.push_back(fmt::format("config.toml could not be read: {}", error.what()));
  }
  Json samples = Json::array();
  for (const char* file : {"find_lr.json", "samples.json"}) add_samples(samples, folder / file, notices);
  return script_text({{"name", name},
                      {"folder", folder.native()},
                      {"steps_per_epoch", number(metrics.steps_per_epoch)},
                      {"series", std::move(series)},
                      {"config", std::move(config)},
                      {"model", read_text(folder / "model.txt")},
                      {"samples", std::move(samples)},
                      {"histograms", histograms_of(folder / "histograms.jsonl")},
                      {"notices", std::move(notices)}});
}

}  // namespace temper::detail
