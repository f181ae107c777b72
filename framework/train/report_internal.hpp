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

/// One value of a metric.
struct MetricPoint {
  double step = 0;
  double time = 0;   ///< seconds of training
  double value = 0;  ///< NaN where it was not finite
};

struct MetricSeries {
  std::string name;  ///< "train/loss"
  std::vector<MetricPoint> points;
};

/// The contents of a metrics.jsonl.
struct RunMetrics {
  std::vector<MetricSeries> series;   ///< in the order in which they first appear
  bool phases = false;                ///< whether some lines have a "phase"
  double steps_per_epoch = 0;         ///< 0 when not known, or not the same for all phases
  std::int64_t unreadable = 0;        ///< lines that are no JSON object with a step; an unfinished last one not counted
  std::int64_t first_unreadable = 0;  ///< number of the first of these, from 1
};

/// Reads metrics.jsonl. A line with a smaller step than the one before is that of a resumed run: lines from that step
/// on are dropped.
RunMetrics read_metrics(std::istream& lines);

/// Points chosen from a curve. The chosen points are extremes, so each comes with the mean of the finite values around
/// it, from which the page computes averages.
struct ThinCurve {
  std::vector<MetricPoint> points;
  std::vector<double> means;  ///< empty when all points were chosen
};

/// At most about `limit` points (1.5 times as many with non-finite values): the smallest, the largest and the first
/// non-finite value of each of equal segments of the curve, and its ends.
ThinCurve thin(const std::vector<MetricPoint>& points, std::size_t limit);

/// The median of the finite values; NaN when there is none.
double median(const std::vector<MetricPoint>& points);
/// The mean of the finite values in the last twentieth, because a single batch's loss is noisy. NaN when there is none.
double tail_mean(const std::vector<MetricPoint>& points);

/// A run's folder as the JSON text of the page, safe inside a <script> element: there is no `<` in it.
/// Throws: FileError when it is not the folder of a run.
std::string run_json(const std::filesystem::path& folder, const std::string& name);

/// As write_report, with a heading in place of the runs' names, and a text below it, as it is; both may be empty.
void write_titled_report(const std::vector<std::string>& folders, const std::string& file, const std::string& heading,
                         const std::string& text);

/// A text as JSON that is safe inside a <script> element.
std::string script_json(std::string_view text);

/// The page without its data, from framework/train/report/.
std::string_view report_page();

}  // namespace temper::detail
