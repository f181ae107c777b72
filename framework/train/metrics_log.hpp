#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <temper/optim/schedule.hpp>

namespace temper {

/// What a MetricsLog does with a file that has lines already. By default it refuses it, so that two runs do not write
/// to one log.
struct MetricsLogOptions {
  std::optional<Step> resumed_at{};     ///< resume after this step: lines of later steps are dropped
  std::optional<std::int64_t> lines{};  ///< MetricsLog::lines() at the checkpoint: later lines are dropped, too
  bool replace = false;                 ///< start an empty log, whatever the file holds
};

/// metrics.jsonl of a run: one JSON object in a line, each written to the file at its end().
class MetricsLog {
 public:
  /// Creates the file, or appends to it. Of a damaged log the readable lines are kept, notice() says so, and a copy of
  /// the damaged file is kept as *.damaged. Throws: ValueError when the file holds lines already and neither
  /// `resumed_at` nor `replace` is given; FileError when it cannot be read or written.
  explicit MetricsLog(const std::filesystem::path& path, const MetricsLogOptions& options = {});
  ~MetricsLog();
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;

  /// A line: {"step":120,"lr":0.001}. NaN and infinity become null. Numbers and plain ASCII texts allocate nothing.
  void begin(Step step);
  void add(std::string_view name, double value);
  void add(std::string_view name, std::int64_t value);
  void add(std::string_view name, std::string_view text);
  /// Writes the line. Throws: FileError when that fails; the line is kept, and written with the next one.
  void end();

  /// Syncs all lines to the disk. To be called before a checkpoint is saved; otherwise a power failure may leave a log
  /// that ends before the checkpoint. Throws: FileError.
  void sync();
  /// Number of lines so far, to be kept in the checkpoint.
  std::int64_t lines() const { return lines_; }
  /// A message about damaged or missing lines of the log that was resumed; empty when there are none.
  const std::string& notice() const { return notice_; }

 private:
  void put(std::string_view text) { pending_ += text; }
  template <class T>
  void put_number(T value);
  void put_name(std::string_view name);
  void put_text(std::string_view text);
  void flush();

  std::filesystem::path path_;
  int descriptor_ = -1;
  std::string pending_;  // not yet passed to the operating system
  std::int64_t lines_ = 0;
  std::string notice_;
};

}  // namespace temper
