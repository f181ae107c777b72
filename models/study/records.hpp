#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace temper::study {

/// The figures of finished runs, in a file with a line a run, written as soon as a run is done: a part of the study
/// that was stopped, by its time or otherwise, makes only what is missing when it is started again.
class Records {
 public:
  using Figures = std::vector<double>;

  /// Reads `file` if it is there and not to begin `anew`. After `minutes` minutes no other run is begun.
  /// Throws: FileError when the file cannot be read or written, ValueError when a line of it is no record.
  Records(std::string file, bool anew, double minutes);

  /// The figures of the run `key` (which contains no semicolon), which `make` makes unless they are kept. Nothing when
  /// time is up. Throws: FileError when they cannot be kept.
  std::optional<Figures> get(const std::string& key, const std::function<Figures()>& make);

  /// The number of runs that time did not suffice for.
  int missing() const { return missing_; }

 private:
  std::string file_;
  std::map<std::string, Figures> kept_;
  std::chrono::steady_clock::time_point end_;
  int missing_ = 0;
};

}  // namespace temper::study
