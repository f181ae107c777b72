#include <temper/train/tensorboard.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <filesystem>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/train/tensorboard_record_internal.hpp"
#include "framework/train/write_pending_internal.hpp"

namespace temper {

namespace {

namespace fs = std::filesystem;

// Field numbers and enumerators of the protocol buffers.
namespace event {
constexpr int wall_time = 1, step = 2, file_version = 3, summary = 5, session_log = 7;
}
namespace session_log {
constexpr int status = 1, start = 1;
}
namespace summary {
constexpr int value = 1, tag = 1, simple_value = 2, tensor = 8, metadata = 9;
}
namespace metadata {
constexpr int plugin_data = 1, plugin_name = 1, data_class = 4, class_tensor = 2;
}
namespace tensor {
constexpr int dtype = 1, shape = 2, string_value = 8, dtype_string = 7;
}

constexpr std::string_view prefix = "events.out.tfevents.";

double time_of_day() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
  std::string text(name.data());
  std::ranges::replace(text, '/', '-');
  return text;
}

/// TensorBoard reads the files of a folder in the order of their names, which begin with a time stamp of ten digits.
/// Ours must be later than all that are there, even if a run is resumed within a second, or the clock was set back.
std::int64_t stamp_after(const fs::path& folder, std::int64_t now) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().native();
    if (!name.starts_with(prefix)) continue;
    std::int64_t stamp = 0;
    std::from_chars(name.data() + prefix.size(), name.data() + name.size(), stamp);
    now = std::max(now, stamp + 1);
  }
  return now;
}

}  // namespace

struct TensorBoard::Impl {
  std::string path;
  std::function<double()> clock;
  int descriptor = -1;
  std::string pending;  // records not yet passed to the operating system
  detail::Message event, summary, value, tensor, metadata;

  ~Impl() {
    if (descriptor >= 0) ::close(descriptor);
  }

  void begin(std::int64_t step) {
    event.clear();
    event.real64(event::wall_time, clock());
    if (step != 0) event.integer(event::step, step);  // 0 is the default of a missing field
  }

  void end() {
    detail::append_record(pending, event.bytes());
    constexpr std::size_t much = 1 << 16;
    if (pending.size() >= much) flush();
  }

  void end_value() {
    summary.clear();
    summary.text(summary::value, value.bytes());
    event.text(event::summary, summary.bytes());
    end();
  }

  void flush() {
    if (const int error = detail::write_pending(descriptor, pending); error != 0) {
      fail<FileError>("{}: cannot write: {}", detail::printable(path), std::strerror(error));
    }
  }
};

TensorBoard::TensorBoard(const std::string& folder, const TensorBoardOptions& options)
    : impl_(std::make_unique<Impl>()) {
  Impl& self = *impl_;
  self.clock = options.clock ? options.clock : time_of_day;
  try {
    fs::create_directories(folder);
    const std::int64_t stamp = stamp_after(folder, static_cast<std::int64_t>(self.clock()));
    self.path = fs::path(folder) / fmt::format("{}{:010}.{}.{}.0", prefix, stamp, host_name(), ::getpid());
  } catch (const fs::filesystem_error& error) {
    fail<FileError>("{}: {}", detail::printable(folder), error.code().message());
  }
  self.descriptor = ::open(self.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
  if (self.descriptor < 0) fail<FileError>("{}: cannot write: {}", detail::printable(self.path), std::strerror(errno));

  self.begin(0);
  self.event.text(event::file_version, "brain.Event:2");
  self.end();
  if (options.purge_step) {
    // The start of a session makes TensorBoard discard all events from its step on.
    detail::Message session;
    session.integer(session_log::status, session_log::start);
    self.begin(*options.purge_step);
    self.event.text(event::session_log, session.bytes());
    self.end();
  }
  self.flush();
}

TensorBoard::~TensorBoard() {
  try {
    impl_->flush();
  } catch (const FileError&) {  // a destructor cannot report it; call flush() before
  }
}

void TensorBoard::scalar(std::string_view tag, std::int64_t step, double value) {
  Impl& self = *impl_;
  self.value.clear();
  self.value.text(summary::tag, tag);
  self.value.real32(summary::simple_value, static_cast<float>(value));
  self.begin(step);
  self.end_value();
}

void TensorBoard::text(std::string_view tag, std::int64_t step, std::string_view markdown) {
  Impl& self = *impl_;
  self.metadata.clear();
  self.metadata.text(metadata::plugin_name, "text");
  self.tensor.clear();
  self.tensor.text(metadata::plugin_data, self.metadata.bytes());
  self.tensor.integer(metadata::data_class, metadata::class_tensor);
  std::swap(self.metadata, self.tensor);
  self.tensor.clear();
  self.tensor.integer(tensor::dtype, tensor::dtype_string);
  self.tensor.text(tensor::shape, "");  // a scalar
  self.tensor.text(tensor::string_value, markdown);

  self.value.clear();
  self.value.text(summary::tag, tag);
  self.value.text(summary::tensor, self.tensor.bytes());
  self.value.text(summary::metadata, self.metadata.bytes());
  self.begin(step);
  self.end_value();
}

void TensorBoard::verbatim(std::string_view tag, std::int64_t step, std::string_view text_of) {
  // An indented code block, because the text could contain the backquotes that close a fenced one.
  std::string markdown;
  for (std::size_t at = 0; at < text_of.size();) {
    const std::size_t end = std::min(text_of.find('\n', at), text_of.size());
    markdown += "    ";
    markdown += text_of.substr(at, end - at);
    markdown += '\n';
    at = end + 1;
  }
  text(tag, step, markdown);
}

void TensorBoard::flush() { impl_->flush(); }

const std::string& TensorBoard::file() const { return impl_->path; }

}  // namespace temper
