#include <temper/train/metrics_log.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>

#include <nlohmann/json.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/io/atomic_file_internal.hpp"
#include "framework/train/write_pending_internal.hpp"

namespace temper {

namespace fs = std::filesystem;

namespace {

std::string read(const fs::path& path) {
  // A dangling link counts as existing, so that it is an error and not an empty log.
  std::error_code error;
  const fs::file_type type = fs::symlink_status(path, error).type();
  if (type == fs::file_type::not_found) return {};
  if (type == fs::file_type::none) fail<FileError>("{}: {}", detail::printable(path.native()), error.message());
  const std::vector<std::byte> bytes = detail::read_file(path, std::numeric_limits<std::uint64_t>::max());
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void write(const fs::path& path, std::string_view text) {
  detail::AtomicFile file(path);
  file.write(std::as_bytes(std::span(text.data(), text.size())));
  file.commit();
}

/// The part of a log that a resumed run keeps.
struct KeptLines {
  std::string text;
  std::int64_t lines = 0;
  std::int64_t damaged = 0;  // lines that are no JSON object with a step
};

KeptLines kept_lines(std::string_view log, const MetricsLogOptions& options) {
  KeptLines kept;
  std::int64_t number = 0;
  // A last line without a newline was not written completely, and is dropped.
  for (std::size_t end; (end = log.find('\n')) != std::string_view::npos; log.remove_prefix(end + 1)) {
    if (options.lines && number++ >= *options.lines) break;
    const std::string_view line = log.substr(0, end);
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object() || !json.contains("step") || !json["step"].is_number_integer()) {
      ++kept.damaged;
    } else if (json["step"] <= *options.resumed_at) {
      kept.text.append(log.substr(0, end + 1));
      ++kept.lines;
    }
  }
  return kept;
}

/// Whether JSON needs no escapes for it: printable ASCII without quotes and backslashes.
bool plain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; });
}

}  // namespace

MetricsLog::MetricsLog(const fs::path& path, const MetricsLogOptions& options) : path_(path) {
  const std::string shown = detail::printable(path.native());
  const std::string old = options.replace ? std::string() : read(path);
  KeptLines kept;
  if (options.resumed_at) {
    kept = kept_lines(old, options);
  } else if (!old.empty()) {
    fail<ValueError>(
        "{}: holds {} lines already; MetricsLogOptions::resumed_at goes on with them, replace removes them", shown,
        std::ranges::count(old, '\n'));
  }
  lines_ = kept.lines;
  if (kept.damaged > 0) {
    const fs::path aside = fs::path(path) += ".damaged";
    write(aside, old);
    notice_ = fmt::format("{}: {} damaged line{} left out; the file as it was is {}", shown, kept.damaged,
                          kept.damaged == 1 ? "" : "s", detail::printable(aside.filename().native()));
  } else if (options.lines && kept.lines < *options.lines) {
    notice_ =
        fmt::format("{}: the last {} of {} lines are missing", shown, *options.lines - kept.lines, *options.lines);
  }
  // A log that is kept as it is is not rewritten, so that it cannot be lost.
  if (old.empty() || kept.text != old) write(path, kept.text);
  do {
    descriptor_ = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  } while (descriptor_ < 0 && errno == EINTR);
  if (descriptor_ < 0) fail<FileError>("{}: cannot write: {}", shown, std::strerror(errno));
  pending_.reserve(4096);
}

MetricsLog::~MetricsLog() {
  pending_.erase(pending_.rfind('\n') + 1);  // drops a line that an exception left unfinished
  try {
    flush();
  } catch (const FileError&) {  // a destructor cannot report it; call sync() before
  }
  ::close(descriptor_);
}

template <class T>
void MetricsLog::put_number(T value) {
  std::array<char, 32> number;
  put({number.data(), static_cast<std::size_t>(fmt::format_to(number.data(), "{}", value) - number.data())});
}

void MetricsLog::put_text(std::string_view text) {
  if (!plain(text)) return put(nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  put("\"");
  put(text);
  put("\"");
}

void MetricsLog::put_name(std::string_view name) {
  put(",");
  put_text(name);
  put(":");
}

void MetricsLog::begin(Step step) {
  put("{\"step\":");
  put_number(step);
}

void MetricsLog::add(std::string_view name, double value) {
  put_name(name);
  if (std::isfinite(value)) {
    put_number(value);
  } else {
    put("null");  // JSON has no NaN
  }
}

void MetricsLog::add(std::string_view name, std::int64_t value) {
  put_name(name);
  put_number(value);
}

void MetricsLog::add(std::string_view name, std::string_view text) {
  put_name(name);
  put_text(text);
}

void MetricsLog::end() {
  put("}\n");
  ++lines_;
  flush();
}

void MetricsLog::flush() {
  if (const int error = detail::write_pending(descriptor_, pending_); error != 0) {
    fail<FileError>("{}: cannot write: {}", detail::printable(path_.native()), std::strerror(error));
  }
}

void MetricsLog::sync() {
  flush();
  while (::fsync(descriptor_) != 0) {
    if (errno == EINTR) continue;
    fail<FileError>("{}: cannot write: {}", detail::printable(path_.native()), std::strerror(errno));
  }
}

}  // namespace temper
