#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/core/parallel.hpp>
#include <temper/core/trace.hpp>

using namespace temper;

namespace {

struct Traced {
  Traced() { start_trace(); }
  ~Traced() { stop_trace(); }
};

void spend(int milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }

/// The spans of the trace, and the names of the tracks they are on.
std::vector<nlohmann::json> spans() {
  const auto trace = nlohmann::json::parse(trace_json());
  std::map<int, std::string> tracks;
  std::vector<nlohmann::json> result;
  for (const auto& event : trace.at("traceEvents")) {
    if (event.at("ph") == "M" && event.at("name") == "thread_name") {
      tracks[event.at("tid")] = event.at("args").at("name");
    }
    if (event.at("ph") != "X") continue;
    result.push_back(event);
    result.back()["track"] = tracks.at(event.at("tid"));
  }
  return result;
}

}  // namespace

TEST_CASE("nothing is traced unless enabled") {
  CHECK_FALSE(detail::tracing());
  { const Traced traced; }
  {
    const TraceScope scope("never");
    CHECK_FALSE(scope.on());
  }
  CHECK(spans().empty());
  CHECK(trace_table().find("never") == std::string::npos);
}

TEST_CASE("nested scopes are nested spans; the table counts an outer span's time without the inner one's") {
  {
    const Traced traced;
    const TraceScope outer("the \"outer\"\n", TraceTrack::program);
    spend(20);
    {
      const TraceScope inner("inner", TraceTrack::loader);
      detail::trace_describe("[2, 3]");
      spend(60);
    }
  }
  const auto found = spans();
  REQUIRE(found.size() == 2);
  const auto &inner = found[0], &outer = found[1];
  CHECK(inner.at("name") == "inner");
  CHECK(inner.at("cat") == "loader");
  CHECK(inner.at("args").at("shapes") == "[2, 3]");
  CHECK(inner.at("track").get<std::string>().ends_with(": loader"));
  CHECK(outer.at("name") == "the \"outer\"\n");
  CHECK(inner.at("ts") >= outer.at("ts"));
  CHECK(inner.at("ts").get<double>() + inner.at("dur").get<double>() <=
        outer.at("ts").get<double>() + outer.at("dur").get<double>() + 1e-3);
  CHECK(inner.at("dur") >= 60e3);
  CHECK(outer.at("dur") >= 80e3);
  // The outer span takes 20 ms without the inner one.
  const std::string table = trace_table();
  const auto own = [&](const std::string& name) {
    const std::size_t at = table.find(name);
    REQUIRE(at != std::string::npos);
    double calls = 0, time = 0;
    REQUIRE(std::sscanf(table.c_str() + at + name.size(), "%lf %lf", &calls, &time) == 2);
    CHECK(calls == 1);
    return time;
  };
  CHECK(own("the \"outer\"\n") < outer.at("dur").get<double>() * 1e-3 - 59.0);
  CHECK(own("inner") >= 60.0);
}

TEST_CASE("starting a trace discards the one before") {
  {
    const Traced traced;
    const TraceScope scope("before");
  }
  {
    const Traced traced;
    const TraceScope scope("after");
  }
  REQUIRE(spans().size() == 1);
  CHECK(spans()[0].at("name") == "after");
  CHECK(trace_table().find("before") == std::string::npos);
}

TEST_CASE("an operation's span begins where the span before it ended, and counts the FLOP of helping threads") {
  const int before = threads();
  set_threads(3);
  {
    const Traced traced;
    const TraceScope all("all");
    detail::trace_mark();
    parallel_for(300, 1, [](std::int64_t, std::int64_t) { detail::trace_flops(1e6); });
    detail::trace_operation("first", "[300]");
    spend(30);
    detail::trace_operation("second", "[1]");
  }
  set_threads(before);
  double first_end = 0, second = 0;
  int helpers = 0;
  for (const auto& span : spans()) {
    if (span.at("name") == "first") {
      first_end = span.at("ts").get<double>() + span.at("dur").get<double>();
      CHECK(span.at("args").at("FLOP") == 300e6);
      CHECK(span.at("cat") == "forward");
    } else if (span.at("name") == "second") {
      CHECK_FALSE(span.at("args").contains("FLOP"));
      CHECK(std::abs(span.at("ts").get<double>() - first_end) < 1e3);
      second = span.at("dur");
    } else if (span.at("cat") == "help") {
      ++helpers;
    }
  }
  CHECK(second >= 30e3);
  CHECK(helpers == 2);
}

// TEMPER_TRACE is read once per process, so these cases start this program again.

TEST_CASE("a process that TEMPER_TRACE traces") {
  const auto file = std::filesystem::temp_directory_path() / ("temper_trace_" + std::to_string(std::random_device()()));
  const std::string program = std::filesystem::read_symlink("/proc/self/exe");
  const auto run = [&](const std::string& trace, const std::string& test) {
    const std::string command =
        "TEMPER_TRACE='" + trace + "' '" + program + "' --no-skip -tc='" + test + "' >'" + file.native() + ".out' 2>&1";
    return std::system(command.c_str());
  };
  const auto names = [&] {
    std::vector<std::string> result;
    const auto trace = nlohmann::json::parse(std::ifstream(file));  // throws unless it is whole
    for (const auto& event : trace.at("traceEvents")) {
      if (event.at("ph") == "X") result.push_back(event.at("name"));
    }
    return result;
  };
  SUBCASE("which no exception ends leaves its spans") {
    CHECK(run(file, "traced: a span") == 0);
    CHECK(names() == std::vector<std::string>{"some work"});
  }
  SUBCASE("which an exception ends leaves them, too") {
    CHECK(run(file, "traced: an exception in a thread after a span") != 0);
    CHECK(names() == std::vector<std::string>{"some work"});
  }
  SUBCASE("which is killed leaves a trace without spans, not the one of an earlier process") {
    std::ofstream(file) << "an earlier one";
    CHECK(run(file, "traced: killed") != 0);
    CHECK(names().empty());
  }
  SUBCASE("gets an error if the file cannot be written") { CHECK(run("/nowhere/trace.json", "traced: refused") == 0); }
  std::filesystem::remove(file);
  std::filesystem::remove(file.native() + ".out");
}

TEST_CASE("traced: a span" * doctest::skip()) { const TraceScope scope("some work"); }

TEST_CASE("traced: an exception in a thread after a span" * doctest::skip()) {
  { const TraceScope scope("some work"); }
  std::thread([] { throw Error("which nobody catches"); }).join();
}

TEST_CASE("traced: killed" * doctest::skip()) {
  { const TraceScope scope("some work"); }
  std::raise(SIGKILL);
}

TEST_CASE("traced: refused" * doctest::skip()) {
  CHECK_THROWS_WITH_AS(TraceScope("some work"), "TEMPER_TRACE: /nowhere/trace.json: No such file or directory",
                       FileError);
  CHECK_THROWS_AS(detail::trace_operation("relu", "[1] -> [1]"), FileError);
  parallel_for(300, 1, [](std::int64_t, std::int64_t) {});  // helping threads throw nothing
}
