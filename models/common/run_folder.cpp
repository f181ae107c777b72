#include "models/common/run_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <span>

#include "framework/core/format_internal.hpp"
#include "framework/io/atomic_file_internal.hpp"

namespace temper::models {

namespace fs = std::filesystem;

namespace {

/// What a run leaves behind.
constexpr const char* run_files[] = {"config.toml", "metrics.jsonl",     "model.txt",   "samples.json", "report.html",
                                     "checkpoints", "model.safetensors", "tensorboard", "tokenizer"};

std::string numbered(const std::string& model, int number) {
  return number == 1 ? "runs/" + model : fmt::format("runs/{}-{}", model, number);
}

}  // namespace

bool holds_run(const fs::path& folder) {
  for (const char* name : run_files) {
    if (fs::exists(folder / name)) return true;
  }
  return false;
}

void check_folder(const TrainOptions& options) {
  if (options.out.empty() || options.resume || options.overwrite || !holds_run(options.out)) return;
  fail<ValueError>(
      "{} holds a run already: --resume goes on with it, --overwrite replaces it, --out FOLDER names another",
      options.out);
}

std::string newest_run(const std::string& model) {
  int newest = 0;
  for (int number = 1; fs::exists(numbered(model, number)); ++number) {
    if (fs::exists(fs::path(numbered(model, number)) / "config.toml")) newest = number;
  }
  if (newest == 0) fail<ValueError>("--resume: there is no run in {}; --out FOLDER names another", numbered(model, 1));
  return numbered(model, newest);
}

RunFolder::RunFolder(const std::string& model, const TrainOptions& options, const std::string& config) {
  if (options.resume) {
    if (!fs::exists(fs::path(options.out) / "config.toml")) {
      fail<ValueError>("--resume: {} holds no run", options.out);
    }
    if (!claim(options.out)) fail<ValueError>("{}: another program is training there", options.out);
    return;
  }
  if (options.out.empty()) {
    int number = 1;
    while (holds_run(numbered(model, number)) || !claim(numbered(model, number))) ++number;
  } else {
    if (!claim(options.out)) fail<ValueError>("{}: another program is training there", options.out);
    check_folder(options);
    if (options.overwrite) remove_run();
  }
  write("config.toml", config);
}

RunFolder::~RunFolder() {
  if (lock_ >= 0) ::close(lock_);
}

/// False when another process has it.
bool RunFolder::claim(const fs::path& path) {
  fs::create_directories(path);
  const int lock = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock < 0) fail<FileError>("{}: cannot be opened", path.native());
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    ::close(lock);
    return false;
  }
  path_ = path;
  lock_ = lock;
  return true;
}

void RunFolder::remove_run() const {
  // The configuration first: what is left of a removal that was killed must not be taken for a run to go on with.
  for (const char* name : run_files) fs::remove_all(path_ / name);
  for (const auto& entry : fs::directory_iterator(path_)) {
    if (entry.path().filename().native().starts_with("events.out.tfevents")) fs::remove(entry.path());
  }
}

void RunFolder::write(const char* name, const std::string& text) const {
  temper::detail::AtomicFile file(path_ / name);
  file.write(std::as_bytes(std::span(text.data(), text.size())));
  file.commit();
}

}  // namespace temper::models
