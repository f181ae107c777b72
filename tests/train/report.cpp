#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include <temper/core/errors.hpp>
#include <temper/train/report.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/train/report_internal.hpp"
#include "tests/data/files.hpp"

using namespace temper;
using namespace temper::detail;
using temper_test::Folder;

namespace {

constexpr double not_finite = std::numeric_limits<double>::quiet_NaN();

RunMetrics metrics_of(const std::string& text) {
  std::istringstream lines(text);
  return read_metrics(lines);
}

std::vector<double> values_of(const MetricSeries& series) {
  std::vector<double> values;
  for (const MetricPoint& point : series.points) values.push_back(point.value);
  return values;
}

std::vector<MetricPoint> curve_of(const std::vector<double>& values) {
  std::vector<MetricPoint> points;
  for (const double value : values) points.push_back({static_cast<double>(points.size()), 0, value});
  return points;
}

/// The data in the page, between the marks at which its script finds it.
std::string between(const std::string& page, const std::string& begin, const std::string& end) {
  const auto from = page.find(begin);
  REQUIRE(from != std::string::npos);
  return page.substr(from + begin.size(), page.find(end, from) - from - begin.size());
}

nlohmann::json data_of(const std::string& page) {
  return nlohmann::json::parse(between(page, "<script type=\"application/json\" id=\"data\">", "</script>"));
}

}  // namespace

TEST_CASE("metrics.jsonl becomes one series per metric, in the order of the lines") {
  const RunMetrics metrics = metrics_of(
      "{\"step\":10,\"epoch\":1,\"time\":0.5,\"train/loss\":2.5,\"lr\":0.1}\n"
      "\n"
      "{\"step\":20,\"epoch\":1,\"time\":1.0,\"train/loss\":2.0,\"lr\":0.2,\"note\":\"text\"}\n"
      "{\"step\":20,\"epoch\":1,\"time\":1.1,\"test/accuracy\":0.5}\n"
      "{\"step\":30,\"epoch\":2,\"train/loss\":1.5,\"lr\":0.3}\n");
  REQUIRE(metrics.series.size() == 3);
  CHECK(metrics.series[0].name == "train/loss");
  CHECK(metrics.series[1].name == "lr");
  CHECK(metrics.series[2].name == "test/accuracy");
  CHECK(values_of(metrics.series[0]) == std::vector<double>{2.5, 2, 1.5});
  CHECK(metrics.series[0].points[1].step == 20);
  CHECK(metrics.series[0].points[1].time == 1.0);
  CHECK(std::isnan(metrics.series[0].points[2].time));
  CHECK(metrics.steps_per_epoch == 20);
  CHECK(metrics.unreadable == 0);
}

TEST_CASE("values that are not finite are gaps in the curve, in every notation") {
  const RunMetrics metrics = metrics_of(
      "{\"step\":1,\"a\":null}\n{\"step\":2,\"a\":\"nan\"}\n{\"step\":3,\"a\":\"-Infinity\"}\n{\"step\":4,\"a\":7}\n");
  const std::vector<double> values = values_of(metrics.series.at(0));
  REQUIRE(values.size() == 4);
  CHECK(std::ranges::all_of(values.begin(), values.begin() + 3, [](double v) { return std::isnan(v); }));
  CHECK(values[3] == 7);
}

TEST_CASE("an incomplete last line is ignored, damaged lines before it are counted") {
  for (const char* tail : {"{\"step\":2,\"a\":", "{", "{\"step\":2,\"a\":1", "x"}) {
    const RunMetrics metrics = metrics_of(std::string("{\"step\":1,\"a\":1}\n") + tail);
    CHECK(metrics.unreadable == 0);
    CHECK(metrics.series.at(0).points.size() == 1);
  }
  const RunMetrics metrics = metrics_of(
      "{\"step\":1,\"a\":1}\n[1]\n{\"step\":\"x\",\"a\":1}\n{\"a\":1}\n{\"step\":1e300,\"a\":1}\n{\"step\":2,\"a\":2}"
      "\n");
  CHECK(metrics.unreadable == 4);
  CHECK(metrics.first_unreadable == 2);
  CHECK(values_of(metrics.series.at(0)) == std::vector<double>{1, 2});
}

TEST_CASE("a phase has its own loss and its own epochs") {
  const RunMetrics metrics = metrics_of(
      "{\"step\":5,\"epoch\":1,\"phase\":\"pretrain\",\"train/loss\":4,\"lr\":1}\n"
      "{\"step\":9,\"epoch\":1,\"train/loss\":3,\"lr\":2}\n");
  REQUIRE(metrics.series.size() == 3);
  CHECK(metrics.series[0].name == "pretrain/loss");
  CHECK(values_of(metrics.series[1]) == std::vector<double>{1, 2});
  CHECK(metrics.series[2].name == "train/loss");
  CHECK(metrics.steps_per_epoch == 0);
}

TEST_CASE("after going back to an earlier step, the curve continues from there") {
  const RunMetrics metrics =
      metrics_of("{\"step\":1,\"a\":1}\n{\"step\":2,\"a\":2,\"b\":2}\n{\"step\":3,\"a\":3}\n{\"step\":2,\"a\":20}\n");
  CHECK(values_of(metrics.series.at(0)) == std::vector<double>{1, 20});
  CHECK(metrics.series.at(1).points.empty());
  CHECK(values_of(metrics_of("{\"step\":1,\"a\":1}\n{\"step\":1,\"a\":2}\n").series.at(0)) == std::vector<double>{2});
}

TEST_CASE("a long curve is reduced to minima, maxima and means") {
  std::vector<double> values;
  for (int i = 0; i < 100'000; ++i) values.push_back(i % 10);
  values[31'000] = 500;
  values[62'000] = -500;
  values[90'000] = not_finite;
  const std::vector<MetricPoint> points = curve_of(values);
  const ThinCurve curve = thin(points, 1000);
  CHECK(curve.points.size() <= 1001);
  CHECK(curve.points.size() > 900);
  CHECK(curve.means.size() == curve.points.size());
  const auto has = [&](double step, double value) {
    return std::ranges::any_of(curve.points, [&](const MetricPoint& p) { return p.step == step && p.value == value; });
  };
  CHECK(has(0, 0));
  CHECK(has(99'999, 9));
  CHECK(has(31'000, 500));
  CHECK(has(62'000, -500));
  CHECK(std::ranges::count_if(curve.points, [](const MetricPoint& p) { return std::isnan(p.value); }) == 1);
  CHECK(std::ranges::is_sorted(curve.points, {}, &MetricPoint::step));
  CHECK(curve.means[5] == doctest::Approx(4.5).epsilon(0.02));

  CHECK(thin(curve_of({1, 2, 3}), 1000).points.size() == 3);
  CHECK(thin(curve_of({1, 2, 3}), 1000).means.empty());
  CHECK(thin(curve_of(std::vector<double>(5000, not_finite)), 100).points.size() <= 100);
}

TEST_CASE("median, and mean of the last twentieth") {
  std::vector<double> values(100, 7.0);
  std::fill(values.end() - 5, values.end(), 1.0);
  values.back() = 6.0;
  CHECK(median(curve_of(values)) == 7);
  CHECK(tail_mean(curve_of(values)) == 2);
  CHECK(median(curve_of({not_finite, 3, not_finite})) == 3);
  CHECK(tail_mean(curve_of({5})) == 5);
  CHECK(std::isnan(median({})));
  CHECK(std::isnan(tail_mean(curve_of({not_finite}))));
}

TEST_CASE("the page contains the runs, and escapes their texts") {
  const Folder folder;
  const std::string hostile = "<!-- </script><script>alert(1)</script> & \"quotes\" \\";
  const auto run = folder / "a&<b>";
  std::filesystem::create_directories(run);
  const auto write = [&](const char* name, const std::string& text) {
    std::ofstream(run / name, std::ios::binary) << text;
  };
  nlohmann::json line = {{"step", 1}, {hostile, 0.5}, {"lr", nullptr}};
  write("metrics.jsonl", line.dump() + "\n{damaged\n" + line.dump() + "\n");
  write("config.toml", "note=" + nlohmann::json(hostile).dump() + "\n");
  write("model.txt", hostile);
  nlohmann::json samples = {{{"kind", "text"}, {"title", hostile}, {"text", hostile}},
                            {{"kind", "image"}, {"title", "no size"}, {"caption", ""}, {"pixels", ""}},
                            7};
  write("samples.json", samples.dump());

  const auto file = folder / "page.html";
  write_report({run.native()}, file.native());
  const std::string page = Folder::read(file);
  CHECK(between(page, "<title>", "</title>") == "a&amp;&lt;b>");
  CHECK(page.find("alert(1)</script>") == std::string::npos);
  CHECK(page.find("REPORT_DATA") == std::string::npos);
  CHECK(page.find("@page") == std::string::npos);
  CHECK(page.find("Permission is hereby granted") != std::string::npos);

  const nlohmann::json data = data_of(page).at("runs").at(0);
  CHECK(data.at("name") == "a&<b>");
  CHECK(data.at("series").at(0).at("name") == hostile);
  CHECK(data.at("series").at(0).at("value") == nlohmann::json{0.5});
  CHECK(data.at("series").at(1).at("value") == nlohmann::json{nullptr});
  CHECK(data.at("config").at(0) == nlohmann::json{"note", hostile});
  CHECK(data.at("model") == hostile);
  CHECK(data.at("samples").size() == 1);
  CHECK(data.at("samples").at(0).at("text") == hostile);
  CHECK(data.at("notices") == nlohmann::json{"metrics.jsonl: 1 line could not be read, the first is line 2",
                                             "lr: not finite in 1 of 1 lines, the first at step 1",
                                             "samples.json: 2 of 3 samples could not be read"});
}

TEST_CASE("an unreadable configuration is reported on the page, which has everything else") {
  const Folder folder;
  folder.write("metrics.jsonl", "{\"step\":1,\"lr\":0.5}\n");
  folder.write("config.toml", "seed = 1\nbytes=\xff\xfe\n");
  write_report({folder.path().native()}, (folder / "page.html").native());
  const nlohmann::json data = data_of(Folder::read(folder / "page.html")).at("runs").at(0);
  CHECK(data.at("series").size() == 1);
  CHECK(data.at("config").empty());
  CHECK(data.at("notices").at(0).get<std::string>().find("config.toml could not be read: line 2") == 0);
}

TEST_CASE("runs of the same name get distinct labels, and an empty run is accepted") {
  const Folder folder;
  std::vector<std::string> runs;
  for (const char* name : {"x/cnn", "y/cnn/", "z"}) {
    runs.push_back(folder / name);
    std::filesystem::create_directories(runs.back());
    std::ofstream(std::filesystem::path(runs.back()) / "config.toml");
  }
  write_report(runs, folder / "page.html");
  const nlohmann::json data = data_of(Folder::read(folder / "page.html")).at("runs");
  CHECK(data.at(0).at("name") == runs[0]);
  CHECK(data.at(1).at("name") == runs[1]);
  CHECK(data.at(2).at("name") == "z");
  CHECK(data.at(2).at("series").empty());
}

TEST_CASE("a folder that is not a run throws, and no page is written") {
  const Folder folder;
  const std::string page = folder / "page.html", empty = folder.path(), missing = folder / "none";
  CHECK_THROWS_WITH_AS(write_report({}, page), doctest::Contains("no folder given"), ValueError);
  CHECK_THROWS_WITH_AS(write_report({missing}, page), doctest::Contains("none: there is no such folder"), FileError);
  CHECK_THROWS_WITH_AS(write_report({empty}, page), doctest::Contains("neither metrics.jsonl nor config.toml"),
                       FileError);
  const std::string file = folder.write("file", "");
  CHECK_THROWS_WITH_AS(write_report({file}, page), doctest::Contains("this is a file"), FileError);
  CHECK_FALSE(std::filesystem::exists(page));
  folder.write("metrics.jsonl", "");
  CHECK_THROWS_WITH_AS(write_report({empty}, folder / "file/page.html"),
                       doctest::Contains("expected a folder, this is a file"), FileError);
  write_report({empty}, page);
  CHECK(std::filesystem::exists(page));
}

TEST_CASE("charts, matrices and the pictures of --find-lr are samples, and what is none of these is a notice") {
  const Folder folder;
  folder.write("metrics.jsonl", "{\"step\":1,\"train/loss\":1.0}\n");
  const nlohmann::json chart = {{"kind", "chart"},
                                {"title", "Range"},
                                {"caption", "c"},
                                {"x", {{"name", "lr"}, {"log", true}, {"values", {0.1, 0.2}}}},
                                {"series", {{{"name", "loss"}, {"values", {1.0, nullptr}}}}},
                                {"marks", {{{"x", 0.1}, {"label", "here"}}}}};
  const nlohmann::json matrix = {
      {"kind", "matrix"}, {"title", "Confusion"}, {"names", {"a", "b"}}, {"rows", {{3, 1}, {0, 2}}}};
  nlohmann::json short_curve = chart, no_mark = chart, ragged = matrix, negative = matrix;
  short_curve["series"][0]["values"] = {1.0};
  no_mark["marks"][0].erase("x");
  ragged["rows"][1] = {1};
  negative["rows"][0][0] = -1;
  folder.write("find_lr.json", nlohmann::json::array({chart}).dump());
  folder.write("samples.json", nlohmann::json::array({matrix, short_curve, no_mark, ragged, negative}).dump());
  write_report({folder.path().native()}, (folder / "page.html").native());
  const nlohmann::json run = data_of(Folder::read(folder / "page.html"))["runs"][0];
  CHECK(run["samples"] == nlohmann::json::array({chart, matrix}));
  CHECK(run["notices"] == nlohmann::json::array({"samples.json: 4 of 5 samples could not be read"}));
}

TEST_CASE("histograms: a list a tensor, of which a resumed run's lines replace older ones") {
  const Folder folder;
  folder.write("metrics.jsonl", "{\"step\":1,\"train/loss\":1.0}\n");
  std::string lines;
  const auto add = [&](int step, const char* name, int count) {
    lines += fmt::format("{{\"step\":{},\"kind\":\"weight\",\"name\":\"{}\",\"low\":-1,\"high\":2,\"counts\":[{},0]}}\n", step,
                         name, count);
  };
  for (int step = 1; step <= 300; ++step) {
    add(step, "a", 1);
    if (step <= 3) add(step, "b", 2);
  }
  lines += "{\"step\":301,\"ki\n[]\n{\"step\":4}\n\n";
  add(3, "b", 5);  // the run was resumed at 2
  folder.write("histograms.jsonl", lines);
  write_report({folder.path().native()}, (folder / "page.html").native());
  const nlohmann::json all = data_of(Folder::read(folder / "page.html"))["runs"][0]["histograms"];
  REQUIRE(all.size() == 2);
  CHECK(all[0]["name"] == "a");
  CHECK(all[0]["snapshots"].size() == 61);
  CHECK(all[0]["snapshots"].back()["step"] == 300);
  REQUIRE(all[1]["snapshots"].size() == 3);
  CHECK(all[1]["snapshots"][2]["counts"] == nlohmann::json::array({5, 0}));
  CHECK(all[1]["snapshots"][0]["high"] == 2);
}

TEST_CASE("a report can have a heading and a text of its own") {
  const Folder folder;
  folder.write("metrics.jsonl", "{\"step\":1,\"train/loss\":1.0}\n");
  write_titled_report({folder.path().native()}, (folder / "page.html").native(), "the sweep", "a </script> table\n");
  const std::string page = Folder::read(folder / "page.html");
  CHECK(between(page, "<title>", "</title>") == "the sweep");
  CHECK(data_of(page)["text"] == "a </script> table\n");
  CHECK(data_of(page)["title"] == "the sweep");
}
