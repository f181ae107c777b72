#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>

#include <temper/core/errors.hpp>
#include <temper/io/safetensors.hpp>

#include "framework/io/atomic_file_internal.hpp"
#include "tests/data/files.hpp"
#include "tests/io/faults.hpp"

using namespace temper;
using temper_test::Fault;
using temper_test::Folder;

namespace {

const Tensors first{{"x", full({1000}, 1.0f)}};
const Tensors second{{"x", full({1000}, 2.0f)}, {"y", scalar(2.0f)}};

/// Which of the two contents the file has, completely: 1 or 2.
int version_in(const std::filesystem::path& path) {
  const Tensors tensors = load_tensors(path).tensors;
  return static_cast<int>(tensors.at("x").values<float>()[999]);
}

struct Outcome {
  std::optional<std::string> error;
  std::vector<std::string> calls;
};

Outcome save_with(Fault fault, int at, int number, const std::filesystem::path& path) {
  Outcome outcome;
  temper_test::watch_calls(fault, at, number);
  try {
    save_tensors(path, second);
  } catch (const FileError& error) {
    outcome.error = error.what();
  }
  outcome.calls = temper_test::watched_calls();
  return outcome;
}

bool only_file(const Folder& folder, std::string_view name) {
  return std::ranges::all_of(std::filesystem::directory_iterator(folder.path()),
                             [&](const auto& entry) { return entry.path().filename() == name; });
}

}  // namespace

TEST_CASE("saving: contents are on disk before the rename, and the rename before saving returns") {
  const Folder folder;
  const Outcome outcome = save_with(Fault::none, -1, 0, folder / "a");
  CHECK(!outcome.error);
  // After a power failure, which may lose whatever is not synced, the old or the new file is complete.
  CHECK(outcome.calls == std::vector<std::string>{"open", "ftruncate", "write", "write", "write", "write", "fsync",
                                                  "rename", "open folder", "fsync"});
  CHECK(version_in(folder / "a") == 2);
  CHECK(only_file(folder, "a"));
}

TEST_CASE("saving: if any call fails, it throws, the old file is intact and no temporary file stays") {
  const Folder folder;
  save_tensors(folder / "a", first);
  const int calls = static_cast<int>(save_with(Fault::none, -1, 0, folder / "probe").calls.size());
  std::filesystem::remove(folder / "probe");
  for (const int number : {EIO, ENOSPC}) {
    for (int at = 0; at < calls; ++at) {
      CAPTURE(at);
      save_tensors(folder / "a", first);
      const Outcome outcome = save_with(Fault::error, at, number, folder / "a");
      REQUIRE(outcome.error);
      CHECK(outcome.error->starts_with((folder / "a").native() + ": "));
      CHECK(outcome.error->find(std::strerror(number)) != std::string::npos);
      const bool replaced = std::ranges::count(outcome.calls, "rename") == 1 && outcome.calls.back() != "rename";
      CHECK(version_in(folder / "a") == (replaced ? 2 : 1));
      CHECK(only_file(folder, "a"));
    }
  }
}

TEST_CASE("saving: interrupted and shortened writes are continued") {
  const Folder folder;
  for (const Fault fault : {Fault::interrupted, Fault::shortened}) {
    for (int at = 2; at < 6; ++at) {  // the writes
      const Outcome outcome = save_with(fault, at, 0, folder / "a");
      CHECK(!outcome.error);
      CHECK(std::ranges::count(outcome.calls, "write") >= 4);
      CHECK(version_in(folder / "a") == 2);
      std::filesystem::remove(folder / "a");
    }
  }
}

TEST_CASE("saving: killed at any call, the file is old or new, and the next save removes the temporary file") {
  const Folder folder;
  save_tensors(folder / "a", first);
  int old_kept = 0;
  for (int at = 0; at < 10; ++at) {
    save_tensors(folder / "a", first);
    const pid_t child = ::fork();
    if (child == 0) {
      save_with(Fault::killed, at, 0, folder / "a");
      ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == temper_test::killed_status);
    const int version = version_in(folder / "a");
    CHECK(version == (at < 8 ? 1 : 2));
    old_kept += version == 1;
    save_tensors(folder / "a", second);
    CHECK(version_in(folder / "a") == 2);
    CHECK(only_file(folder, "a"));
  }
  CHECK(old_kept == 8);
}

TEST_CASE("saving: beyond the system's limit of file sizes") {
  const Folder folder;
  save_tensors(folder / "a", first);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limited = before;
  limited.rlim_cur = 2000;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &limited) == 0);
  const Outcome outcome = save_with(Fault::none, -1, 0, folder / "a");
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(outcome.error == (folder / "a").native() + ": cannot write: File too large");
  CHECK(version_in(folder / "a") == 1);
  CHECK(only_file(folder, "a"));
}

TEST_CASE("saving: permissions are kept, and missing folders are created") {
  using std::filesystem::perms;
  const Folder folder;
  const auto mode = [&](const char* name) { return std::filesystem::status(folder / name).permissions(); };
  save_tensors(folder / "a", {{"x", ones({2})}});
  std::filesystem::permissions(folder / "a", perms::owner_read | perms::owner_write);
  save_tensors(folder / "a", {{"x", ones({2})}});
  CHECK(mode("a") == (perms::owner_read | perms::owner_write));
  save_tensors(folder / "new/and/deep/b", {{"x", ones({2})}});
  CHECK(std::filesystem::is_regular_file(folder / "new/and/deep/b"));
  CHECK_THROWS_WITH_AS(save_tensors(folder / "a/b", {{"x", ones({2})}}),
                       ((folder / "a").native() + ": expected a folder, this is a file").c_str(), FileError);
}

TEST_CASE("saving: to a file that is being saved already, and through links") {
  const Folder folder;
  {
    const detail::AtomicFile other(folder / "a");
    CHECK_THROWS_WITH_AS(save_tensors(folder / "a", first),
                         ((folder / "a").native() + ": another program is saving to it").c_str(), FileError);
  }
  CHECK(std::filesystem::is_empty(folder.path()));
  save_tensors(folder / "a", first);
  std::filesystem::create_symlink("a", folder / "link");
  save_tensors(folder / "link", second);
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK(version_in(folder / "a") == 2);
  std::filesystem::create_symlink("nowhere", folder / "dangling");
  save_tensors(folder / "dangling", second);
  CHECK(std::filesystem::is_symlink(folder / "dangling"));
  CHECK(std::filesystem::is_regular_file(folder / "nowhere"));
  std::filesystem::create_symlink("loop", folder / "loop");
  CHECK_THROWS_AS(save_tensors(folder / "loop", second), FileError);
  // A link in place of the temporary file is not followed.
  std::filesystem::create_symlink("a", folder / "b.tmp");
  CHECK_THROWS_AS(save_tensors(folder / "b", first), FileError);
  CHECK(version_in(folder / "a") == 2);
}
