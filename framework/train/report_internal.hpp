#pragma once

#include <cstdint>
#include <filesystem>
#include <istream>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper::detail {

/// One value of a metric; NaN where it was not finite.
struct MetricPoint {
  double step = 0;
  double time = 0;  ///< seconds of training
  double value = 0;
};

struct MetricSeries {
  std::string name;  ///< "train/loss"
  std::vector<MetricPoint> points;
};

/// What a metrics.jsonl holds.
struct RunMetrics {
  std::vector<MetricSeries> series;  ///< in the order in which they first appear
  double steps_per_epoch = 0;        ///< 0 when not known
  std::int64_t unreadable = 0;       ///< lines that are no JSON object with a step, but for an unfinished last one
  std::int64_t first_unreadable = 0;  ///< number of the first of these, from 1
};

/// Reads metrics.jsonl. A line whose step is not past the one before rewinds: what came after that step is dropped, as
/// a resumed run does.
RunMetrics read_metrics(std::istream& lines);

/// At most about `limit` of the points, with the smallest and the largest value of every stretch, the first and last
/// point, and a NaN where there was one.
std::vector<MetricPoint> thin(const std::vector<MetricPoint>& points, std::size_t limit);

/// The entries of a config.toml, in order, as `section.key` and value, strings without their quotes.
std::vector<std::pair<std::string, std::string>> read_config(std::istream& lines);

/// A run's folder as the JSON text of the page, safe inside a <script> element: there is no `<` in it.
/// Throws: FileError when it is not the folder of a run.
std::string run_json(const std::filesystem::path& folder, const std::string& name);

/// The page without its data, from framework/train/report/.
std::string_view report_page();

}  // namespace temper::detail
