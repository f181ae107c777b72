// A folder keeps the last two checkpoints of a run, whatever happens while one is written.

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include <temper/core/errors.hpp>
#include <temper/io/checkpoint.hpp>
#include <temper/optim/sgd.hpp>

#include "tests/data/files.hpp"
#include "tests/io/faults.hpp"

using namespace temper;
using temper_test::Fault;
using temper_test::Folder;

namespace {

/// A checkpoint with a number in it.
Checkpoint numbered(int number) {
  return {.model = {{"w", full({100}, static_cast<float>(number))}}, .notes = {{"number", std::to_string(number)}}};
}

int number_in(const Checkpoint& checkpoint) { return std::stoi(checkpoint.notes.at("number")); }

void damage(const std::filesystem::path& file) {
  std::string bytes = Folder::read(file);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  std::ofstream(file, std::ios::binary) << bytes;
}

/// The valid checkpoints in the folder, under any name.
int valid_checkpoints(const std::filesystem::path& folder) {
  int count = 0;
  for (const char* name : {"next", "last", "previous"}) {
    try {
      load_checkpoint(folder / (std::string(name) + ".safetensors"));
      ++count;
    } catch (const FileError&) {
    }
  }
  return count;
}

}  // namespace

TEST_CASE("the last checkpoint and the one before are kept") {
  const Folder folder;
  const CheckpointFolder checkpoints(folder / "new" / "folder");
  CHECK(checkpoints.empty());
  CHECK_THROWS_WITH_AS(checkpoints.load(), doctest::Contains("there is no checkpoint"), FileError);
  for (int number = 1; number <= 3; ++number) {
    checkpoints.save(numbered(number));
    CHECK(number_in(checkpoints.load().checkpoint) == number);
    CHECK(checkpoints.load().damaged.empty());
  }
  CHECK_FALSE(checkpoints.empty());
  CHECK(number_in(load_checkpoint(folder / "new" / "folder" / "previous.safetensors")) == 2);
  CHECK_FALSE(std::filesystem::exists(folder / "new" / "folder" / "next.safetensors"));
}

TEST_CASE("if the newest checkpoint is damaged, the previous one is loaded with a warning and is not overwritten") {
  const Folder folder;
  const CheckpointFolder checkpoints(folder.path());
  checkpoints.save(numbered(1));
  checkpoints.save(numbered(2));
  damage(folder / "last.safetensors");
  const CheckpointFolder::Loaded loaded = checkpoints.load();
  CHECK(number_in(loaded.checkpoint) == 1);
  CHECK(loaded.file == folder / "previous.safetensors");
  REQUIRE(loaded.damaged.size() == 1);
  CHECK(loaded.damaged[0].find("last.safetensors: checksum_mismatch") != std::string::npos);
  CHECK(std::filesystem::exists(folder / "last.safetensors.damaged"));
  checkpoints.save(numbered(3));
  CHECK(number_in(load_checkpoint(folder / "previous.safetensors")) == 1);
  CHECK(number_in(load_checkpoint(folder / "last.safetensors")) == 3);
}

TEST_CASE("when no checkpoint is valid, the error says what is wrong with each, and nothing is renamed") {
  const Folder folder;
  const CheckpointFolder checkpoints(folder.path());
  checkpoints.save(numbered(1));
  checkpoints.save(numbered(2));
  damage(folder / "last.safetensors");
  std::ofstream(folder / "previous.safetensors") << "x";
  std::string text;
  try {
    checkpoints.load();
  } catch (const FileError& error) {
    text = error.what();
  }
  CHECK(text.find("last.safetensors: checksum_mismatch") != std::string::npos);
  CHECK(text.find("previous.safetensors: file_too_small") != std::string::npos);
  CHECK(std::filesystem::exists(folder / "last.safetensors"));
}

TEST_CASE("if any call of a save fails, two checkpoints stay, and the next save works") {
  for (const int number : {EIO, ENOSPC}) {
    int failures = 0;
    for (int at = 0;; ++at) {
      CAPTURE(at);
      const Folder folder;
      const CheckpointFolder checkpoints(folder.path());
      checkpoints.save(numbered(1));
      checkpoints.save(numbered(2));
      bool failed = false;
      temper_test::watch_calls(Fault::error, at, number);
      try {
        checkpoints.save(numbered(3));
      } catch (const FileError&) {
        failed = true;
      }
      const auto calls = static_cast<int>(temper_test::watched_calls().size());
      CHECK(valid_checkpoints(folder.path()) >= 2);
      const int newest = number_in(checkpoints.load().checkpoint);
      CHECK((newest == 3 || (failed && newest == 2)));
      checkpoints.save(numbered(4));
      CHECK(number_in(checkpoints.load().checkpoint) == 4);
      CHECK(number_in(load_checkpoint(folder / "previous.safetensors")) == newest);
      failures += failed;
      if (calls <= at) break;  // all calls have been tried
    }
    CHECK(failures > 10);
  }
}

TEST_CASE("killed at any call of a save: two checkpoints stay, and the next save removes temporary files") {
  int killed = 0;
  for (int at = 0;; ++at) {
    CAPTURE(at);
    const Folder folder;
    const CheckpointFolder checkpoints(folder.path());
    checkpoints.save(numbered(1));
    checkpoints.save(numbered(2));
    const pid_t child = ::fork();
    if (child == 0) {
      temper_test::watch_calls(Fault::killed, at);
      checkpoints.save(numbered(3));
      ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    if (WEXITSTATUS(status) == 0) break;
    ++killed;
    REQUIRE(WEXITSTATUS(status) == temper_test::killed_status);
    CHECK(valid_checkpoints(folder.path()) >= 2);
    const int newest = number_in(checkpoints.load().checkpoint);
    CHECK((newest == 2 || newest == 3));
    checkpoints.save(numbered(4));
    CHECK(number_in(checkpoints.load().checkpoint) == 4);
    CHECK(number_in(load_checkpoint(folder / "previous.safetensors")) == newest);
    int files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path())) files += entry.exists();
    CHECK(files == 2);
  }
  CHECK(killed > 10);
}
