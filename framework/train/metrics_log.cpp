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

namespace temper {

namespace fs = std::filesystem;

namespace {

std::string read(const fs::path& path) {
  // A link that leads nowhere is there, and cannot be read: an error, not a log without lines.
  if (fs::symlink_status(path).type() == fs::file_type::not_found) return {};
  const std::vector<std::byte> bytes = detail::read_file(path, std::numeric_limits<std::uint64_t>::max());
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void write(const fs::path& path, std::string_view text) {
  detail::AtomicFile file(path);
  file.write(std::as_bytes(std::span(text.data(), text.size())));
  file.commit();
}

/// What a resumed run keeps of a log.
struct Kept {
  std::string text;
  std::int64_t lines = 0;
  std::int64_t damaged = 0;  // lines that are no JSON object with a step
};

Kept kept_of(std::string_view log, const MetricsLogOptions& options) {
  Kept kept;
  std::int64_t number = 0;
  // What has no line's end was not written to its end.
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

/// Printable ASCII without quotes and backslashes stands for itself in JSON.
bool plain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; });
}

}  // namespace

MetricsLog::MetricsLog(const fs::path& path, const MetricsLogOptions& options) : path_(path) {
  const std::string shown = detail::printable(path.native());
  const std::string old = options.replace ? std::string() : read(path);
  Kept kept;
  if (options.resumed_at) {
    kept = kept_of(old, options);
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
  // A log that is to go on as it is stays untouched: nothing can happen to it.
  if (old.empty() || kept.text != old) write(path, kept.text);
  do {
    descriptor_ = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  } while (descriptor_ < 0 && errno == EINTR);
  if (descriptor_ < 0) fail<FileError>("{}: cannot write: {}", shown, std::strerror(errno));
  pending_.reserve(4096);
}

MetricsLog::~MetricsLog() {
  pending_.erase(pending_.rfind('\n') + 1);  // a line that an exception cut short is none
  try {
    flush();
  } catch (const FileError&) {  // nobody is left to hear it; sync() says it
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
    put("null");  // JSON knows no NaN
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

/// What could be written is no longer pending, even when the rest fails: nothing is written twice.
void MetricsLog::flush() {
  std::size_t done = 0;
  int error = 0;
  while (done < pending_.size() && error == 0) {
    const ssize_t count = ::write(descriptor_, pending_.data() + done, pending_.size() - done);
    if (count >= 0) {
      done += static_cast<std::size_t>(count);
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  pending_.erase(0, done);
  if (error != 0) fail<FileError>("{}: cannot write: {}", detail::printable(path_.native()), std::strerror(error));
}

void MetricsLog::sync() {
  flush();
  while (::fsync(descriptor_) != 0) {
    if (errno == EINTR) continue;
    fail<FileError>("{}: cannot write: {}", detail::printable(path_.native()), std::strerror(errno));
  }
}

}  // namespace temper
