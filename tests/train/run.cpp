// The parts of a training run besides its loop: metrics.jsonl, config.toml, Ctrl-C, progress, the environment.

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <csignal>

#include <nlohmann/json.hpp>

#include <temper/core/errors.hpp>
#include <temper/data/loader.hpp>
#include <temper/data/tensor_dataset.hpp>
#include <temper/train/environment.hpp>
#include <temper/train/metrics_log.hpp>
#include <temper/train/progress.hpp>
#include <temper/train/report.hpp>
#include <temper/train/stop.hpp>

#include "framework/train/config_internal.hpp"
#include "framework/train/progress_internal.hpp"
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

TEST_CASE("metrics are one JSON object per line, written immediately") {
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

TEST_CASE("a new run starts with empty metrics; a resumed one continues at its step") {
  const Folder folder;
  {
    MetricsLog log(folder / "m");
    write_lines(log, 1, 9);
  }
  {
    MetricsLog log(folder / "m", {.resumed_at = 6});
    CHECK(Folder::read(folder / "m") == lines(1, 6));
    write_lines(log, 7, 8);
  }
  CHECK(Folder::read(folder / "m") == lines(1, 8));
  CHECK_THROWS_WITH_AS(MetricsLog(folder / "m"), doctest::Contains("m: holds 8 lines already"), ValueError);
  CHECK(Folder::read(folder / "m") == lines(1, 8));
  const MetricsLog log(folder / "m", {.replace = true});
  CHECK(Folder::read(folder / "m").empty());
}

TEST_CASE("a resumed log continues after the number of lines in the checkpoint, also within a step") {
  const Folder folder;
  folder.write("m", lines(1, 5) + "{\"step\":5,\"test/accuracy\":0.5}\n" + lines(6, 6));
  {
    MetricsLog log(folder / "m", {.resumed_at = 5, .lines = 5});
    CHECK(Folder::read(folder / "m") == lines(1, 5));
    CHECK(log.lines() == 5);
    CHECK(log.notice().empty());
    write_lines(log, 6, 6);
    CHECK(log.lines() == 6);
  }
  const MetricsLog log(folder / "m", {.resumed_at = 9, .lines = 9});
  CHECK(log.notice().find("m: the last 3 of 9 lines are missing") != std::string::npos);
}

TEST_CASE("damaged lines of a log are dropped with a warning, the others kept, and the old file is backed up") {
  const Folder folder;
  const std::string damaged = lines(1, 2) + "{\"step\":3,\"epoch\x7f:1}\n" + lines(4, 9) + "{\"st";
  folder.write("m", damaged);
  const MetricsLog log(folder / "m", {.resumed_at = 6, .lines = 6});
  CHECK(Folder::read(folder / "m") == lines(1, 2) + lines(4, 6));
  CHECK(Folder::read(folder / "m.damaged") == damaged);
  CHECK(log.notice().find("m: 1 damaged line left out; the file as it was is m.damaged") != std::string::npos);
  CHECK(log.lines() == 5);
}

TEST_CASE("a name that no file can have is a FileError") {
  const Folder folder;
  const std::string name(300, 'x');
  CHECK_THROWS_WITH_AS(MetricsLog(folder / name), doctest::Contains("File name too long"), FileError);
  CHECK_THROWS_WITH_AS(write_report({(folder / name).native()}, (folder / "page.html").native()),
                       doctest::Contains("File name too long"), FileError);
}

TEST_CASE("a log that cannot be read throws and is not treated as empty") {
  const Folder folder;
  std::filesystem::create_symlink("nowhere", folder / "link");
  std::filesystem::create_directory(folder / "folder");
  for (const char* name : {"link", "folder"}) {
    CAPTURE(name);
    CHECK_THROWS_AS(MetricsLog(folder / name, {.resumed_at = 5}), FileError);
  }
  CHECK(std::filesystem::is_symlink(folder / "link"));
}

TEST_CASE("texts in a log are valid JSON, whatever their bytes") {
  const Folder folder;
  MetricsLog log(folder / "m");
  const std::string word = "a \"b\"\n\\ \x01 \xc3\xbc";
  log.begin(1);
  log.add("word", word);
  log.add("a \"name\"", 1.0);
  log.add("bytes", "\xff");
  log.end();
  const auto line = nlohmann::json::parse(Folder::read(folder / "m"));
  CHECK(line["word"] == word);
  CHECK(line["a \"name\""] == 1.0);
  CHECK(line["bytes"] == "\xef\xbf\xbd");  // the replacement character
}

TEST_CASE("a line that cannot be written throws, and is written with the next one") {
  const Folder folder;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit before {};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  {
    MetricsLog log(folder / "m");
    write_lines(log, 1, 2);
    struct rlimit full = before;
    full.rlim_cur = lines(1, 2).size() + 7;  // there is room for seven bytes of the next line
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &full) == 0);
    CHECK_THROWS_WITH_AS(write_lines(log, 3, 3), doctest::Contains("m: cannot write: File too large"), FileError);
    CHECK_THROWS_WITH_AS(log.sync(), doctest::Contains("m: cannot write: File too large"), FileError);
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
    write_lines(log, 4, 4);
    log.sync();
    CHECK(Folder::read(folder / "m") == lines(1, 4));
  }
  std::signal(SIGXFSZ, handler);
}

TEST_CASE("the incomplete last line of a killed run is removed, even if it is valid JSON") {
  const Folder folder;
  for (const char* rest :
       {"{\"step\":5,\"epo", "{\"step\":5,\"epoch\":1}", "{\"step\":\"5\"}\n", "[5]\n", "\n", "{}\n"}) {
    CAPTURE(rest);
    folder.write("m", lines(1, 4) + rest);
    const MetricsLog log(folder / "m", {.resumed_at = 100});
    CHECK(Folder::read(folder / "m") == lines(1, 4));
  }
}

TEST_CASE("the first signal requests a stop, the next one ends the program") {
  static volatile std::sig_atomic_t caught = 0;
  const auto before = std::signal(SIGINT, [](int) { caught = caught + 1; });
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    CAPTURE(number);
    caught = 0;
    const StopSignal stop;
    CHECK_FALSE(stop.requested());
    std::raise(number);
    CHECK(stop.signal() == number);
    CHECK(caught == 0);
    std::raise(SIGINT);  // the old handler is restored
    CHECK(caught == 1);
    CHECK(stop.signal() == number);
    std::signal(SIGINT, [](int) { caught = caught + 1; });
  }
  std::signal(SIGINT, before);
}

TEST_CASE("a signal that the program ignored stays ignored") {
  const auto before = std::signal(SIGINT, SIG_IGN);
  {
    const StopSignal stop;
    std::raise(SIGINT);
    CHECK_FALSE(stop.requested());
  }
  CHECK((std::signal(SIGINT, before) == SIG_IGN));
}

#if defined(__x86_64__)
TEST_CASE("the handler does not use the stack of the code it interrupts") {
  // oneDNN's gemm for AVX2 computes with the stack pointer in a buffer on the heap. So does this, and sends a signal.
  std::vector<std::byte> buffer(std::size_t{64} << 10, std::byte{7});
  {
    const StopSignal stop;
    std::byte* const middle = buffer.data() + buffer.size() / 2;
    long call = SYS_tkill;
    asm volatile(
        "mov %%rsp, %%rbx\n\t"
        "mov %[middle], %%rsp\n\t"
        "syscall\n\t"
        "mov %%rbx, %%rsp"
        : "+a"(call)
        : [middle] "r"(middle), "D"(static_cast<long>(::gettid())), "S"(static_cast<long>(SIGINT))
        : "rbx", "rcx", "r11", "memory");
    CHECK(call == 0);
    CHECK(stop.signal() == SIGINT);
  }
  CHECK(std::ranges::all_of(buffer, [](std::byte byte) { return byte == std::byte{7}; }));
}
#endif

TEST_CASE("each write to a closed pipe requests a stop") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  ::close(ends[0]);
  {
    const StopSignal stop;
    for (int i = 0; i < 2; ++i) CHECK(::write(ends[1], "x", 1) == -1);
    CHECK(stop.signal() == SIGPIPE);
  }
  ::close(ends[1]);
}

TEST_CASE("only one StopSignal can exist at a time") {
  {
    const StopSignal stop;
    CHECK_THROWS_WITH_AS(StopSignal(), doctest::Contains("there is one already"), ValueError);
  }
  const StopSignal again;
}

TEST_CASE("a progress bar fits into the terminal") {
  const detail::ProgressFigures figures{
      .label = "epoch 1", .done = 150, .total = 600, .rate = 12.34, .seconds_left = 75};
  std::array<char, 256> line;
  CHECK(detail::progress_line(line, figures, 0) == "epoch 1: 150/600, 12.3/s, 1:15 left");
  CHECK(detail::progress_line(line, figures, 80) ==
        "epoch 1 [=======>                      ] 150/600  12.3/s  1:15 left");
  CHECK(detail::progress_line(line, figures, 50) == "epoch 1 [===>        ] 150/600  12.3/s  1:15 left");
  for (int columns = 1; columns < 100; ++columns) {
    CAPTURE(columns);
    CHECK(detail::progress_line(line, figures, columns).size() < static_cast<std::size_t>(columns));
  }
  const detail::ProgressFigures full{.label = "x", .done = 7, .total = 7};
  CHECK(detail::progress_line(line, full, 80).find("[==============================]") != std::string_view::npos);
}

TEST_CASE("progress of a restored loader begins where that goes on, and of any other at 0") {
  data::Loader loader(data::TensorDataset(zeros({20, 1}), zeros({20, 1})), {.batch_size = 2});
  for ([[maybe_unused]] const auto& batch : loader) {
    CHECK(detail::taken_before(loader) == 0);
    break;
  }
  [[maybe_unused]] const auto second = loader.begin();  // another epoch, though the first was left in its middle
  CHECK(detail::taken_before(loader) == 0);
  loader.restore({.epoch = 3, .batch = 4, .seed = 1});
  [[maybe_unused]] const auto third = loader.begin();
  CHECK(detail::taken_before(loader) == 4);
}

TEST_CASE("a configuration preserves every text") {
  for (const char* text : {"", "plain", "it's \"x\"", "a#b", "a\nb\tc", "\\", "[1, 2]", "{}", "\xc3\xbc = 1",
                           "\x01\x7f", " blank ", "'''", "\"\"\"", "--lr", "1e-3", "true"}) {
    CAPTURE(text);
    const std::string written = detail::toml_string(text);
    CHECK(written.find('\n') == std::string::npos);
    CHECK(detail::read_config("key = " + written + "\n") == detail::Config{{"key", text}});
  }
  CHECK_THROWS_WITH_AS(detail::toml_string("\xff"), doctest::Contains("is not UTF-8"), ValueError);
}

TEST_CASE("a configuration is read in order, and an invalid one throws with the line") {
  CHECK(detail::read_config("# a comment\nlr = \"1e-3 * warmup(5)\" # another\nepochs=5\nraw='\\n'\nrate = 1e-5\n"
                            "on=true\nlist=[1, 2]\n\n[model]\ndepth=20\n") == detail::Config{{"lr", "1e-3 * warmup(5)"},
                                                                                             {"epochs", "5"},
                                                                                             {"raw", "\\n"},
                                                                                             {"rate", "1e-05"},
                                                                                             {"on", "true"},
                                                                                             {"list", "[ 1, 2 ]"},
                                                                                             {"model.depth", "20"}});
  CHECK_THROWS_WITH_AS(detail::read_config("a = 1\nnonsense\n"), doctest::Contains("line 2: "), FileError);
  CHECK_THROWS_WITH_AS(detail::read_config("a = 1\na = 2\n"), doctest::Contains("line 2: "), FileError);
  // Input that makes the TOML library itself fail.
  for (const char* text : {"[# a", "\xef\xb3\xbf men"}) CHECK_THROWS_AS(detail::read_config(text), FileError);
}

TEST_CASE("the environment lists what results depend on bit for bit, and how two environments differ") {
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
