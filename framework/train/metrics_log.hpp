#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string_view>

#include <temper/optim/schedule.hpp>

namespace temper {

/// metrics.jsonl of a run: a JSON object a line, each written at once.
class MetricsLog {
 public:
  /// Begins the file; with `resumed_at`, keeps its lines up to that step. Throws: FileError.
  explicit MetricsLog(const std::filesystem::path& path, std::optional<Step> resumed_at = std::nullopt);
  ~MetricsLog();
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;

  /// A line: {"step":120,"lr":0.001}. What is not finite becomes null; names and texts must need no escapes. Allocates
  /// nothing.
  void begin(Step step);
  void add(std::string_view name, double value);
  void add(std::string_view name, std::int64_t value);
  void add(std::string_view name, std::string_view text);
  /// Throws: FileError when the line cannot be written.
  void end();

 private:
  void put(std::string_view text);
  template <class T>
  void put_number(T value);
  void put_name(std::string_view name);

  std::filesystem::path path_;
  std::FILE* file_;
};

}  // namespace temper
