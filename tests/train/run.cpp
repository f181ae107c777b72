// What a training run is made of besides its loop: metrics.jsonl, Ctrl-C, the environment.

#include <doctest/doctest.h>

#include <cmath>
#include <csignal>

#include <temper/train/environment.hpp>
#include <temper/train/metrics_log.hpp>
#include <temper/train/stop.hpp>

#include "tests/data/files.hpp"

using namespace temper;
using temper_test::Folder;

namespace {

void write_lines(MetricsLog& log, Step from, Step to) {
  for (Step step = from; step <= to; ++step) {
    log.begin(step);
    log.add("epoch", std::int64_t{1});
    log.add("train/loss", 0.5);
    log.end();
  }
}

std::string lines(Step from, Step to) {
  std::string text;
  for (Step step = from; step <= to; ++step) {
    text += "{\"step\":" + std::to_string(step) + ",\"epoch\":1,\"train/loss\":0.5}\n";
  }
  return text;
}

}  // namespace

TEST_CASE("metrics are a JSON object a line, there at once") {
  const Folder folder;
  MetricsLog log(folder / "m");
  write_lines(log, 1, 2);
  CHECK(Folder::read(folder / "m") == lines(1, 2));
  log.begin(3);
  log.add("lr", 1e-7);
  log.add("loss", std::nan(""));
  log.add("norm", INFINITY);
  log.add("phase", "pretrain");
  log.end();
  CHECK(Folder::read(folder / "m") ==
        lines(1, 2) + "{\"step\":3,\"lr\":1e-07,\"loss\":null,\"norm\":null,\"phase\":\"pretrain\"}\n");
}

TEST_CASE("a new run begins its metrics anew; a resumed one goes on from its step") {
  const Folder folder;
  {
    MetricsLog log(folder / "m");
    write_lines(log, 1, 9);
  }
  {
    MetricsLog log(folder / "m", 6);
    CHECK(Folder::read(folder / "m") == lines(1, 6));
    write_lines(log, 7, 8);
  }
  CHECK(Folder::read(folder / "m") == lines(1, 8));
  const MetricsLog log(folder / "m");
  CHECK(Folder::read(folder / "m").empty());
}

TEST_CASE("what a killed run left half-written is cut, also where it looks whole") {
  const Folder folder;
  for (const char* rest :
       {"{\"step\":5,\"epo", "{\"step\":5,\"epoch\":1}", "{\"step\":\"5\"}\n", "[5]\n", "\n", "{}\n"}) {
    CAPTURE(rest);
    folder.write("m", lines(1, 4) + rest);
    const MetricsLog log(folder / "m", 100);
    CHECK(Folder::read(folder / "m") == lines(1, 4));
  }
}

TEST_CASE("the first signal is noted, and the next one is no longer held up") {
  const auto before = std::signal(SIGINT, SIG_IGN);  // what the second one would do here, so that the test survives it
  {
    const StopSignal stop;
    CHECK_FALSE(stop.requested());
    std::raise(SIGTERM);
    CHECK(stop.requested());
    CHECK(stop.signal() == SIGTERM);
    CHECK((std::signal(SIGINT, SIG_IGN) == SIG_IGN));  // as it was before
  }
  {
    const StopSignal stop;
    CHECK_FALSE(stop.requested());
    std::raise(SIGINT);
    CHECK(stop.signal() == SIGINT);
  }
  CHECK((std::signal(SIGINT, before) == SIG_IGN));
}

TEST_CASE("the environment names what bits depend on, and how two differ") {
  const Metadata now = environment();
  for (const char* key : {"program", "version", "cpu", "isa", "oneDNN", "threads"}) {
    CAPTURE(key);
    CHECK_FALSE(now.at(key).empty());
  }
  CHECK(now.at("program").size() == 8);
  CHECK(environment_changes(now, environment()).empty());
  Metadata was = now;
  was["threads"] = "99";
  was.erase("isa");
  const std::vector<std::string> changes = environment_changes(was, now);
  REQUIRE(changes.size() == 2);
  CHECK(changes[0] == "isa: was unknown, is " + now.at("isa"));
  CHECK(changes[1] == "threads: was 99, is " + now.at("threads"));
}
