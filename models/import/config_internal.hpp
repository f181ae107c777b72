#pragma once

// Hugging Face's config.json, which says what a model in the same folder is.

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/json_depth_internal.hpp"
#include "framework/io/atomic_file_internal.hpp"

namespace temper::models::detail {

using namespace temper::detail;

inline constexpr std::uint64_t max_config_bytes = 1 << 20;
inline constexpr double max_config_size = 1 << 28;  // of any size in a configuration

/// Reads the entries of an object, and gathers what is wrong with them.
class ConfigReader {
 public:
  ConfigReader(const nlohmann::json& object, std::string& problems) : object_(object), problems_(problems) {}

  /// The entry, or null when it is not there or null.
  const nlohmann::json& at(std::string_view key) const {
    static const nlohmann::json null;
    const auto found = object_.find(key);
    return found == object_.end() ? null : *found;
  }
  double number(std::string_view key, double missing) {
    const nlohmann::json& value = at(key);
    if (value.is_null()) return missing;
    if (value.is_number()) return value.get<double>();
    expected(key, "a number");
    return missing;
  }
  std::int64_t size(std::string_view key, std::int64_t missing) {
    const double value = number(key, static_cast<double>(missing));
    if (value >= 0 && value <= max_config_size && value == std::floor(value)) return static_cast<std::int64_t>(value);
    expected(key, "a whole number from 0 to 2^28");
    return missing;
  }
  bool flag(std::string_view key, bool missing) {
    const nlohmann::json& value = at(key);
    if (value.is_null()) return missing;
    if (value.is_boolean()) return value.get<bool>();
    expected(key, "true or false");
    return missing;
  }
  std::string text(std::string_view key, std::string missing) {
    const nlohmann::json& value = at(key);
    if (value.is_null()) return missing;
    if (value.is_string()) return value.get<std::string>();
    expected(key, "a text");
    return missing;
  }
  void expected(std::string_view key, std::string_view what) {
    const std::string found = at(key).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    problems_ += fmt::format("\n  {} is {}, expected {}", key, detail::printable(found), what);
  }

 private:
  const nlohmann::json& object_;
  std::string& problems_;
};

/// The configuration that `parse(object, problems)` makes of a file, or of config.json in a folder. Throws: FileError
/// for a file that is damaged, and with all problems.
template <class Parse>
auto read_config(const std::filesystem::path& path, std::string_view model, Parse parse) {
  std::error_code ignored;
  const std::filesystem::path file = std::filesystem::is_directory(path, ignored) ? path / "config.json" : path;
  const std::string text = read_text(file, max_config_bytes);
  return with_path(file, [&] {
    check_json_depth(text);
    const nlohmann::json object = nlohmann::json::parse(text, nullptr, false);
    if (!object.is_object()) fail<FileError>("not a JSON object");
    std::string problems;
    const auto config = parse(object, problems);
    if (!problems.empty()) fail<FileError>("a model that {} cannot be:{}", model, problems);
    return config;
  });
}

/// Throws: FileError when the file cannot be written.
inline void write_json(const std::filesystem::path& path, const nlohmann::json& value) {
  const std::string text = value.dump(2) + "\n";
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

}  // namespace temper::models::detail
