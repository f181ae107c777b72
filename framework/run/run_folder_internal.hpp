#pragma once

#include <filesystem>
#include <string>

#include <temper/run/options.hpp>

namespace temper {

/// Whether a folder holds a run.
bool holds_run(const std::filesystem::path& folder);

/// Throws: ValueError when a run may not begin in `options.out` because there is another one.
void check_folder(const TrainOptions& options);

/// The one of runs/MODEL, runs/MODEL-2, ... that was written to last. Throws: ValueError when there is none.
std::string newest_run(const std::string& model);

/// A run's folder, this process's alone as long as it lives.
class RunFolder {
 public:
  /// Takes `options.out` - by default a new runs/MODEL, numbered if there is one - and writes `config` there, or
  /// with `options.resume` finds the run that is there. Another run in it is only replaced with `options.overwrite`.
  /// Throws: ValueError for a folder with or without a run that should not have one, or in use; FileError.
  RunFolder(const std::string& model, const TrainOptions& options, const std::string& config);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const char* name) const { return path_ / name; }
  /// Writes a file of the folder, whole or not at all.
  void write(const char* name, const std::string& text) const;

 private:
  bool claim(const std::filesystem::path& path);
  void claim_or_fail(const std::filesystem::path& path);
  void remove_run() const;

  std::filesystem::path path_;
  int lock_ = -1;
};

}  // namespace temper
