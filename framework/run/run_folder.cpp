#include "framework/run/run_folder_internal.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <span>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/io/atomic_file_internal.hpp"

namespace temper {

namespace fs = std::filesystem;
using detail::path_exists;

namespace {

/// The files and folders of a run.
constexpr const char* run_files[] = {"config.toml", "metrics.jsonl",     "model.txt",   "samples.json", "report.html",
                                     "checkpoints", "model.safetensors", "tensorboard", "tokenizer",    "find_lr.json",
                                     "result.json", "histograms.jsonl"};

std::string numbered(const std::string& model, int number) {
  return number == 1 ? "runs/" + model : fmt::format("runs/{}-{}", model, number);
}

std::string shown(const fs::path& path) { return detail::printable(path.native()); }

/// The number of runs/MODEL or runs/MODEL-NUMBER; 0 for another name.
int number_of(const std::string& name, const std::string& model) {
  if (name == model) return 1;
  if (!name.starts_with(model + "-")) return 0;
  int number = 0;
  const char* const begin = name.data() + model.size() + 1;
  const char* const end = name.data() + name.size();
  const auto [stopped, error] = std::from_chars(begin, end, number);
  return error == std::errc() && stopped == end && *begin != '0' && number > 1 ? number : 0;
}

/// The time at which a run wrote something last.
fs::file_time_type last_written(const fs::path& folder) {
  auto latest = fs::last_write_time(folder / "config.toml");
  for (const char* name : {"metrics.jsonl", "checkpoints"}) {
    std::error_code missing;
    const auto time = fs::last_write_time(folder / name, missing);
    if (!missing) latest = std::max(latest, time);
  }
  return latest;
}

}  // namespace

bool holds_run(const fs::path& folder) {
  return std::ranges::any_of(run_files, [&](const char* name) { return path_exists(folder / name); });
}

void check_folder(const TrainOptions& options) {
  if (options.out.empty() || options.resume || options.overwrite || !holds_run(options.out)) return;
  fail<ValueError>(
      "{} holds a run already: --resume goes on with it, --overwrite replaces it, --out FOLDER names another",
      shown(options.out));
}

std::string newest_run(const std::string& model) {
  // By time: a new run fills the gap that a removed one left, so the largest number need not be the newest.
  std::pair newest{fs::file_time_type::min(), 0};
  std::error_code none;
  for (const auto& entry : fs::directory_iterator("runs", none)) {
    const int number = number_of(entry.path().filename().native(), model);
    if (number == 0 || !path_exists(entry.path() / "config.toml")) continue;
    newest = std::max(newest, std::pair(last_written(entry.path()), number));
  }
  if (newest.second == 0) {
    fail<ValueError>("--resume: there is no run in {}; --out FOLDER names another", numbered(model, 1));
  }
  return numbered(model, newest.second);
}

RunFolder::RunFolder(const std::string& model, const TrainOptions& options, const std::string& config) {
  if (options.resume) {
    if (!path_exists(fs::path(options.out) / "config.toml")) {
      fail<ValueError>("--resume: {} holds no run", shown(options.out));
    }
    claim_or_fail(options.out);
    return;
  }
  if (options.out.empty()) {
    int number = 1;
    while (holds_run(numbered(model, number)) || !claim(numbered(model, number))) ++number;
  } else {
    claim_or_fail(options.out);
    check_folder(options);
    if (options.overwrite) remove_run();
  }
  write("config.toml", config);
}

RunFolder::~RunFolder() {
  if (lock_ >= 0) ::close(lock_);
}

/// Locks the folder for this process. False when another process has locked it.
bool RunFolder::claim(const fs::path& path) {
  detail::make_folders(path);
  const int lock = detail::retried([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (lock < 0) fail<FileError>("{}: cannot be opened: {}", shown(path), std::strerror(errno));
  try {
    switch (detail::lock_exclusively(lock, path)) {
      case detail::Lock::taken: break;
      case detail::Lock::busy: ::close(lock); return false;
      case detail::Lock::unsupported:
        print("{}: this file system has no locks: see to it that no other program trains there", shown(path));
    }
  } catch (const FileError&) {
    ::close(lock);
    throw;
  }
  path_ = path;
  lock_ = lock;
  return true;
}

void RunFolder::claim_or_fail(const fs::path& path) {
  if (!claim(path)) fail<ValueError>("{}: another program is training there", shown(path));
}

void RunFolder::remove_run() const {
  try {
    // config.toml first, so that a folder of which the removal was killed halfway cannot be resumed.
    for (const char* name : run_files) fs::remove_all(path_ / name);
    for (const auto& entry : fs::directory_iterator(path_)) {
      if (entry.path().filename().native().starts_with("events.out.tfevents")) fs::remove(entry.path());
    }
  } catch (const fs::filesystem_error& error) {
    fail<FileError>("{}: the run cannot be removed: {}", shown(path_), error.code().message());
  }
}

void RunFolder::write(const char* name, const std::string& text) const {
  detail::AtomicFile file(path_ / name);
  file.write(std::as_bytes(std::span(text.data(), text.size())));
  file.commit();
}

}  // namespace temper
