#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/train/tensorboard.hpp>

#include "framework/train/tensorboard_record_internal.hpp"
#include "tests/data/files.hpp"

using namespace temper;
using temper_test::Folder;

namespace {

/// A python3 with the protobuf package, which the first one on the path may lack.
std::string python() {
  for (const std::string candidate : {"/usr/bin/python3", "python3"}) {
    if (std::system((candidate + " -c 'import google.protobuf' > /dev/null 2>&1").c_str()) == 0) return candidate;
  }
  return "";
}

/// The folder's events, read by a program that uses TensorFlow's message definitions and none of Temper's code.
std::vector<std::string> events_of(const Folder& folder) {
  const std::string interpreter = python();
  REQUIRE_MESSAGE(!interpreter.empty(), "no python3 has google.protobuf; apt-get install python3-protobuf");
  const std::string command = interpreter + " " TEMPER_TEST_DIR "/train/read_events.py '" + folder.path().native() +
                              "' > '" + (folder / "output").native() + "'";
  REQUIRE(std::system(command.c_str()) == 0);
  std::istringstream output(Folder::read(folder / "output"));
  std::vector<std::string> lines;
  for (std::string line; std::getline(output, line);) lines.push_back(line);
  return lines;
}

}  // namespace

TEST_CASE("CRC-32C gives the published values") {
  // Source: RFC 3720, appendix B.4.
  CHECK(detail::crc32c("") == 0);
  CHECK(detail::crc32c("123456789") == 0xE3069283);
  CHECK(detail::crc32c(std::string(32, '\0')) == 0x8A9136AA);
  CHECK(detail::crc32c(std::string(32, '\xff')) == 0x62A8AB43);
}

TEST_CASE("an independent reader reads what was written") {
  const Folder folder;
  double now = 1'700'000'000.25;
  {
    TensorBoard writer(folder.path(), {.clock = [&] { return now; }});
    CHECK(writer.file().starts_with((folder / "events.out.tfevents.1700000000.").native()));
    writer.scalar("train/loss", 0, 2.5);
    now += 1.5;
    writer.scalar("train/loss", 1'000'000'000'000, -0.1);
    writer.scalar("not a number", 3, std::numeric_limits<double>::quiet_NaN());
    writer.scalar("huge", 4, std::numeric_limits<double>::infinity());
    writer.text("sample", 5, "Ünicode *text*\nof two lines");
    writer.verbatim("config", 0, "lr=1\n```\nseed=2\n");
    writer.text("long", 6, std::string(100'000, 'x'));
  }
  CHECK(events_of(folder) ==
        std::vector<std::string>{"1700000000.25 0 version brain.Event:2", "1700000000.25 0 scalar 'train/loss' 2.5",
                                 "1700000001.75 1000000000000 scalar 'train/loss' -0.1",
                                 "1700000001.75 3 scalar 'not a number' nan", "1700000001.75 4 scalar 'huge' inf",
                                 "1700000001.75 5 text 'sample' 'Ünicode *text*\\nof two lines'",
                                 "1700000001.75 0 text 'config' '    lr=1\\n    ```\\n    seed=2\\n'",
                                 "1700000001.75 6 text 'long' 'xxxxxxxxxx... 100000'"});
}

TEST_CASE("a resumed run writes a file that is read after the first, and marks the repeated steps as void") {
  const Folder folder;
  const auto clock = [] { return 1'700'000'000.0; };
  {
    TensorBoard first(folder.path(), {.clock = clock});
    first.scalar("a", 10, 1);
    first.scalar("a", 20, 2);
    first.flush();
    TensorBoard second(folder.path(), {.purge_step = 11, .clock = clock});
    CHECK(second.file() > first.file());
    second.scalar("a", 20, 3);
  }
  CHECK(events_of(folder) ==
        std::vector<std::string>{"1700000000.0 0 version brain.Event:2", "1700000000.0 10 scalar 'a' 1.0",
                                 "1700000000.0 20 scalar 'a' 2.0", "1700000000.0 0 version brain.Event:2",
                                 "1700000000.0 11 session START", "1700000000.0 20 scalar 'a' 3.0"});
}

TEST_CASE("flushed events are in the file, and a writer that cannot write throws") {
  const Folder folder;
  TensorBoard writer((folder / "new/folder").native());
  const auto begin = std::filesystem::file_size(writer.file());
  writer.scalar("a", 1, 1);
  CHECK(std::filesystem::file_size(writer.file()) == begin);
  writer.flush();
  CHECK(std::filesystem::file_size(writer.file()) > begin);
  const std::string file = folder.write("file", "");
  CHECK_THROWS_WITH_AS(TensorBoard{file}, doctest::Contains("file"), FileError);
}
