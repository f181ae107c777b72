#pragma once

#include <filesystem>
#include <string>

#include <temper/run/options.hpp>

namespace temper {

/// Whether a folder holds a run.
bool holds_run(const std::filesystem::path& folder);

/// Throws: ValueError when a new run cannot use `options.out` because it holds another one.
void check_folder(const TrainOptions& options);

/// The most recently written one of runs/MODEL, runs/MODEL-2, ... Throws: ValueError when there is none.
std::string newest_run(const std::string& model);

/// A run's folder, locked for this process during the object's lifetime.
class RunFolder {
 public:
  /// Makes the folder `options.out` - by default a new runs/MODEL, numbered if there is one - and writes `config`
  /// there; with `options.resume` it must hold a run, else it may hold one only with `options.overwrite`, which removes
  /// it. Throws: ValueError when there is a run and must not be, or the other way round, or it is in use; FileError.
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
