#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <temper/train/stop.hpp>

namespace temper::sweep {

/// A run of a sweep.
struct Trial {
  struct Result {
    std::int64_t step = 0;
    double value = 0;    ///< NaN when it is not finite
    double seconds = 0;  ///< of training, so far
  };
  std::vector<std::string> values{};  ///< of the options that are tried, in their order
  std::vector<Result> results{};      ///< one a round that it was part of
  std::string failed{};               ///< why it ended; empty: it did not fail
};

/// A sweep, as its file has it.
struct Sweep {
  std::string program{};                 ///< its name
  std::vector<std::string> arguments{};  ///< that all runs have
  std::vector<std::string> tried{};      ///< names of the options
  std::int64_t rounds = 0, factor = 0;
  std::string metric{};  ///< the first one of the program's evaluations; empty before the first result
  bool larger = true;    ///< whether larger values of it are better
  std::vector<Trial> trials{};
};

/// The folder of a sweep, locked for this process and the runs it starts: the lock is theirs, too.
class SweepFolder {
 public:
  /// A new one at `out`, or, where that is empty, at runs/PROGRAM-sweep, numbered if there is one.
  /// Throws: ValueError when it holds a sweep or a run; FileError.
  static SweepFolder create(const std::string& program, const std::string& out);
  /// The one at `out`, or, where that is empty, the one of runs/PROGRAM-sweep... that was written to last.
  /// Throws: ValueError when there is none, or it is still in use after some seconds.
  static SweepFolder open(const std::string& program, const std::string& out);
  ~SweepFolder();
  SweepFolder(SweepFolder&& other) noexcept;
  SweepFolder& operator=(SweepFolder&&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// The folder of a run, counted from 0: "01", or "001" where there are a hundred.
  std::filesystem::path trial(std::size_t index, std::size_t count) const;

  /// Throws: FileError.
  Sweep load() const;
  /// Whole or not at all. Throws: FileError.
  void save(const Sweep& sweep) const;

 private:
  explicit SweepFolder(std::filesystem::path path) : path_(std::move(path)) {}
  bool lock();

  std::filesystem::path path_;
  int lock_ = -1;
};

/// How a program that was started ended.
struct Ended {
  int status = 0;        ///< its exit status; 128 + the number of the signal that killed it
  bool stopped = false;  ///< it was asked to stop
};

/// Runs this program with other arguments, its output appended to a file, and waits for it. It dies when this process
/// does. A signal to stop is passed on, once. Throws: FileError when it cannot be started.
Ended run_self(const std::vector<std::string>& arguments, const std::filesystem::path& output, const StopSignal& stop);

}  // namespace temper::sweep
