#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace temper {

struct TensorBoardOptions {
  /// For a resumed run, its first step: TensorBoard does not show events of earlier files from that step on.
  std::optional<std::int64_t> purge_step{};
  /// Seconds since 1970, for tests; by default the time of day.
  std::function<double()> clock{};
};

/// Writes an event file for TensorBoard. Every writer makes a file of its own, which TensorBoard reads after those that
/// are in the folder already, so a resumed run does not modify what it wrote before. Source: TensorFlow's
/// event.proto, summary.proto and tensor.proto; record_writer.h for the frames.
class TensorBoard {
 public:
  /// Makes the folder if it is missing. Throws, as all here: FileError when the file cannot be written.
  explicit TensorBoard(const std::string& folder, const TensorBoardOptions& options = {});
  ~TensorBoard();
  TensorBoard(const TensorBoard&) = delete;
  TensorBoard& operator=(const TensorBoard&) = delete;

  /// A point of a curve: scalar("train/loss", 120, 0.53). Curves with the same text before the slash are grouped.
  void scalar(std::string_view tag, std::int64_t step, double value);
  /// A text, which TensorBoard reads as Markdown.
  void text(std::string_view tag, std::int64_t step, std::string_view markdown);
  /// A text shown as it is: a configuration, a table of a model.
  void verbatim(std::string_view tag, std::int64_t step, std::string_view text);
  /// Passes what was written to the operating system, as the destructor does.
  void flush();

  /// "events.out.tfevents.1700000000.host.1234.0" in the folder.
  const std::string& file() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace temper
