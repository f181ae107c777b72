#include <temper/train/metrics_log.hpp>

#include <array>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/io/atomic_file_internal.hpp"

namespace temper {

namespace {

/// The lines up to a step. What a killed program left half-written, and all that comes after, goes.
std::string lines_until(const std::filesystem::path& path, Step step) {
  std::ifstream file(path, std::ios::binary);
  std::string kept;
  for (std::string line; std::getline(file, line) && !file.eof();) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!json.is_object() || !json.contains("step") || !json["step"].is_number_integer() || json["step"] > step) break;
    kept += line + '\n';
  }
  return kept;
}

}  // namespace

MetricsLog::MetricsLog(const std::filesystem::path& path, std::optional<Step> resumed_at) : path_(path) {
  const std::string kept = resumed_at ? lines_until(path, *resumed_at) : std::string();
  detail::AtomicFile whole(path);
  whole.write(std::as_bytes(std::span(kept.data(), kept.size())));
  whole.commit();
  file_ = std::fopen(path.c_str(), "ab");
  if (file_ == nullptr) fail<FileError>("{}: {}", detail::printable(path.native()), std::strerror(errno));
}

MetricsLog::~MetricsLog() { std::fclose(file_); }

void MetricsLog::put(std::string_view text) { std::fwrite(text.data(), 1, text.size(), file_); }

template <class T>
void MetricsLog::put_number(T value) {
  std::array<char, 32> number;
  put({number.data(), static_cast<std::size_t>(fmt::format_to(number.data(), "{}", value) - number.data())});
}

void MetricsLog::put_name(std::string_view name) {
  put(",\"");
  put(name);
  put("\":");
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
  put("\"");
  put(text);
  put("\"");
}

void MetricsLog::end() {
  put("}\n");
  if (std::fflush(file_) != 0) fail<FileError>("{}: {}", detail::printable(path_.native()), std::strerror(errno));
}

}  // namespace temper
