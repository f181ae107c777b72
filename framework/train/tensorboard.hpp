#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace temper {

struct TensorBoardOptions {
  /// Of a resumed run the first step that will be written again: what earlier files hold from there on is not shown.
  std::optional<std::int64_t> purge_step{};
  /// Seconds since 1970, for tests; by default the time of day.
  std::function<double()> clock{};
};

/// Writes an event file that TensorBoard shows. Every writer makes a file of its own, which is read after those that
/// are in the folder already, so a run that goes on does not touch what it wrote before. Source: TensorFlow's
/// event.proto, summary.proto and tensor.proto; record_writer.h for the frames.
class TensorBoard {
 public:
  /// Makes the folder if there is none. Throws, as all here: FileError when the file cannot be written.
  explicit TensorBoard(const std::string& folder, const TensorBoardOptions& options = {});
  ~TensorBoard();
  TensorBoard(const TensorBoard&) = delete;
  TensorBoard& operator=(const TensorBoard&) = delete;

  /// A point of a curve: scalar("train/loss", 120, 0.53). Curves with the same text before the slash stand together.
  void scalar(std::string_view tag, std::int64_t step, double value);
  /// A text, which TensorBoard reads as Markdown.
  void text(std::string_view tag, std::int64_t step, std::string_view markdown);
  /// A text shown as it is: a configuration, a table of a model.
  void verbatim(std::string_view tag, std::int64_t step, std::string_view text);
  /// Hands what was written to the operating system; a writer that ends does so too.
  void flush();

  /// "events.out.tfevents.1700000000.host.1234.0" in the folder.
  const std::string& file() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace temper
