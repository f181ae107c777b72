// The folder of a sweep, and the processes of its runs.

#include "framework/run/sweep_folder_internal.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>
#include <thread>

#include <nlohmann/json.hpp>

#include <temper/train/print.hpp>
#include <temper/train/stop.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/io/atomic_file_internal.hpp"
#include "framework/run/run_folder_internal.hpp"

namespace temper::sweep {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

constexpr const char* file_name = "sweep.json";

std::string shown(const fs::path& path) { return detail::printable(path.native()); }

std::string numbered(const std::string& program, int number) {
  return number == 1 ? fmt::format("runs/{}-sweep", program) : fmt::format("runs/{}-sweep-{}", program, number);
}

bool holds_anything(const fs::path& folder) {
  return detail::path_exists(folder / file_name) || detail::path_exists(folder / "01") ||
         detail::path_exists(folder / "001") || holds_run(folder);
}

}  // namespace

SweepFolder SweepFolder::create(const std::string& program, const std::string& out) {
  if (!out.empty()) {
    SweepFolder folder{fs::path(out)};
    if (detail::path_exists(folder.path_ / file_name)) {
      fail<ValueError>("{} holds a sweep already: --resume goes on with it, --out FOLDER names another",
                       shown(folder.path_));
    }
    if (holds_anything(folder.path_)) {
      fail<ValueError>("{} holds a run already, expected a new folder for the sweep", shown(folder.path_));
    }
    if (!folder.lock()) fail<ValueError>("{}: another program works there", shown(folder.path_));
    return folder;
  }
  for (int number = 1;; ++number) {
    SweepFolder folder{fs::path(numbered(program, number))};
    if (!holds_anything(folder.path_) && folder.lock()) return folder;
  }
}

SweepFolder SweepFolder::open(const std::string& program, const std::string& out) {
  SweepFolder folder{fs::path(out)};
  if (out.empty()) {
    std::optional<fs::file_time_type> newest;
    for (int number = 1; detail::path_exists(numbered(program, number)); ++number) {
      const fs::path path = numbered(program, number);
      std::error_code none;
      const auto time = fs::last_write_time(path / file_name, none);
      if (none || (newest && time <= *newest)) continue;
      newest = time;
      folder.path_ = path;
    }
    if (!newest) fail<ValueError>("--resume: there is no sweep in {}; --out FOLDER names another", numbered(program, 1));
  }
  if (!detail::path_exists(folder.path_ / file_name)) {
    fail<ValueError>("--resume: {} holds no sweep", shown(folder.path_));
  }
  // A run whose sweep was killed dies with it, but not in the same instant.
  for (int tries = 0; !folder.lock(); ++tries) {
    if (tries == 100) fail<ValueError>("{}: another program works there", shown(folder.path_));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return folder;
}

SweepFolder::~SweepFolder() {
  if (lock_ >= 0) ::close(lock_);
}

SweepFolder::SweepFolder(SweepFolder&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

/// The descriptor is left to the programs that are started: the folder is free when all of them have ended.
bool SweepFolder::lock() {
  detail::make_folders(path_);
  const int descriptor = detail::retried([&] { return ::open(path_.c_str(), O_RDONLY | O_DIRECTORY); });
  if (descriptor < 0) fail<FileError>("{}: cannot be opened: {}", shown(path_), std::strerror(errno));
  switch (detail::lock_exclusively(descriptor, path_)) {
    case detail::Lock::taken: break;
    case detail::Lock::busy: ::close(descriptor); return false;
    case detail::Lock::unsupported:
      print("{}: this file system has no locks: see to it that no other program works there", shown(path_));
  }
  lock_ = descriptor;
  return true;
}

fs::path SweepFolder::trial(std::size_t index, std::size_t count) const {
  return path_ / fmt::format("{:0{}}", index + 1, std::max<std::size_t>(2, std::to_string(count).size()));
}

void SweepFolder::save(const Sweep& sweep) const {
  Json trials = Json::array();
  for (const Trial& trial : sweep.trials) {
    Json results = Json::array();
    for (const auto& [step, value, seconds] : trial.results) {
      results.push_back({{"step", step}, {"value", value}, {"seconds", seconds}});  // NaN becomes null
    }
    Json json = {{"values", trial.values}, {"results", results}};
    if (!trial.failed.empty()) json["failed"] = trial.failed;
    trials.push_back(std::move(json));
  }
  const Json json = {{"program", sweep.program},     {"arguments", sweep.arguments},
                     {"tried", sweep.tried},         {"rounds", sweep.rounds},
                     {"factor", sweep.factor},       {"metric", sweep.metric},
                     {"better", sweep.larger ? "larger" : "smaller"}, {"trials", trials}};
  const std::string text = json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
  detail::AtomicFile file(path_ / file_name);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

Sweep SweepFolder::load() const {
  const fs::path file = path_ / file_name;
  try {
    const Json json = Json::parse(detail::read_text(file, std::uint64_t{1} << 30));
    Sweep sweep{.program = json.at("program"),
                .arguments = json.at("arguments"),
                .tried = json.at("tried"),
                .rounds = json.at("rounds"),
                .factor = json.at("factor"),
                .metric = json.at("metric"),
                .larger = json.at("better") == "larger"};
    for (const Json& each : json.at("trials")) {
      Trial trial{.values = each.at("values"), .failed = each.value("failed", "")};
      for (const Json& result : each.at("results")) {
        const Json& value = result.at("value");
        trial.results.push_back({result.at("step"),
                                 value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>(),
                                 result.at("seconds")});
      }
      sweep.trials.push_back(std::move(trial));
      if (sweep.trials.back().values.size() != sweep.tried.size()) throw FileError("a run has other options");
    }
    if (sweep.trials.empty() || sweep.rounds < 1 || sweep.factor < 2) throw FileError("it has no runs");
    return sweep;
  } catch (const nlohmann::json::exception& error) {
    fail<FileError>("{}: not the file of a sweep: {}", shown(file), error.what());
  } catch (const FileError& error) {
    fail<FileError>("{}: not the file of a sweep: {}", shown(file), error.what());
  }
}

Ended run_self(const std::vector<std::string>& arguments, const fs::path& output, const StopSignal& stop) {
  std::vector<std::string> words = {"/proc/self/exe"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const int in = detail::retried([] { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); });
  const int out =
      detail::retried([&] { return ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666); });
  if (in < 0 || out < 0) fail<FileError>("{}: cannot be opened: {}", shown(output), std::strerror(errno));

  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) {
    // From here to exec only what is safe in the child of a program with threads.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);  // it died before
    ::setpgid(0, 0);                          // a terminal's Ctrl-C reaches the sweep alone, which passes it on
    ::dup2(in, 0);
    ::dup2(out, 1);
    ::dup2(out, 2);
    ::execv(words[0].c_str(), pointers.data());
    ::_exit(127);
  }
  const int error = errno;
  ::close(in);
  ::close(out);
  if (child < 0) fail<FileError>("cannot start another program: {}", std::strerror(error));

  Ended ended;
  int status = 0;
  while (::waitpid(child, &status, WNOHANG) == 0) {
    if (stop.requested() && !ended.stopped) {
      ended.stopped = true;
      ::kill(child, SIGTERM);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ended.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  if (stop.requested()) {
    ended.stopped = true;
    ended.status = 128 + stop.signal();
  }
  return ended;
}

}  // namespace temper::sweep
