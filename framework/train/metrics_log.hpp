#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <temper/optim/schedule.hpp>

namespace temper {

/// How a MetricsLog begins.
struct MetricsLogOptions {
  std::optional<Step> resumed_at{};  ///< of a run that goes on after this step: later lines go
  std::optional<std::int64_t>
      lines{};           ///< what MetricsLog::lines() was at the checkpoint: the lines after these go, too
  bool replace = false;  ///< begins anew, whatever the file holds
};

/// metrics.jsonl of a run: a JSON object a line, each written at once.
class MetricsLog {
 public:
  /// Begins the file, or goes on with it. Of a log that was damaged the readable lines are kept, notice() says so, and
  /// the file as it was becomes *.damaged. Throws: ValueError when the file holds lines already and neither
  /// `resumed_at` nor `replace` is given; FileError when it cannot be read or written.
  explicit MetricsLog(const std::filesystem::path& path, const MetricsLogOptions& options = {});
  ~MetricsLog();
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;

  /// A line: {"step":120,"lr":0.001}. What is not finite becomes null. Numbers and plain texts allocate nothing.
  void begin(Step step);
  void add(std::string_view name, double value);
  void add(std::string_view name, std::int64_t value);
  void add(std::string_view name, std::string_view text);
  /// Throws: FileError when the line cannot be written; it is not lost, and goes to the file with the next one.
  void end();

  /// Brings all lines to the disk: to be called before a checkpoint is saved, or a power failure may leave a log that
  /// ends before it. Throws: FileError.
  void sync();
  /// Lines so far, for the checkpoint.
  std::int64_t lines() const { return lines_; }
  /// What a resumed run should know of the log it found; empty when all is well.
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
  std::string pending_;  // not yet with the operating system
  std::int64_t lines_ = 0;
  std::string notice_;
};

}  // namespace temper
