// config.toml: read by the command line, by a resumed run, by the report.

#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include <algorithm>
#include <sstream>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/utf8_internal.hpp"
#include "framework/train/config_internal.hpp"

namespace temper::detail {

namespace {

struct Entry {
  toml::source_position at;
  std::string key, value;
};

std::string text_of(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return fmt::format("{}", number->get());
  if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
  std::ostringstream text;
  node.visit([&](const auto& value) { text << value; });
  return text.str();
}

void gather(const toml::table& table, const std::string& section, std::vector<Entry>& entries) {
  for (const auto& [key, node] : table) {
    const std::string name = section + std::string(key.str());
    if (const toml::table* inner = node.as_table()) {
      gather(*inner, name + ".", entries);
    } else {
      entries.push_back({node.source().begin, name, text_of(node)});
    }
  }
}

}  // namespace

Config read_config(std::string_view toml_text) {
  std::vector<Entry> entries;
  try {
    gather(toml::parse(toml_text), "", entries);
  } catch (const toml::parse_error& error) {
    fail<FileError>("line {}: {}", error.source().begin.line, printable(error.description()));
  }
  std::ranges::stable_sort(entries, {}, [](const Entry& entry) {
    return std::pair(entry.at.line, entry.at.column);  // a table keeps its keys by name
  });
  Config config;
  for (Entry& entry : entries) config.emplace_back(std::move(entry.key), std::move(entry.value));
  return config;
}

std::string toml_string(std::string_view text) {
  if (find_invalid_utf8(text) != std::string::npos) {
    fail<ValueError>("'{}' is not UTF-8, and cannot be kept in a configuration", printable(text));
  }
  const toml::value<std::string> value{std::string(text)};
  std::ostringstream out;
  out << toml::toml_formatter(value, toml::format_flags::none);
  return out.str();
}

}  // namespace temper::detail
