#include <temper/io/csv.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "framework/core/format_internal.hpp"
#include "framework/io/atomic_file_internal.hpp"

namespace temper {

namespace {

/// Quoted where it holds what would end it, or blanks around it that a reader may drop. An empty field alone in its
/// line would be a blank line.
void append(std::string& text, std::string_view field, char delimiter, bool alone) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  const bool special = field.find_first_of(std::string{delimiter, '"', '\n', '\r'}) != std::string_view::npos;
  const bool quoted = field.empty() ? alone : special || blank(field.front()) || blank(field.back());
  if (!quoted) {
    text += field;
    return;
  }
  text += '"';
  for (const char c : field) {
    if (c == '"') text += '"';
    text += c;
  }
  text += '"';
}

}  // namespace

void save_csv(const std::filesystem::path& path, const data::CsvTable& table, char delimiter) {
  if (delimiter == '"' || delimiter == '\n' || delimiter == '\r') {
    fail<ValueError>("save_csv: the delimiter is a quote or a line's end, expected another character");
  }
  std::size_t columns = table.header.size();
  if (columns == 0 && !table.rows.empty()) columns = table.rows.front().fields.size();
  std::string text;
  const auto add = [&](const std::vector<std::string>& fields) {
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (i > 0) text += delimiter;
      append(text, fields[i], delimiter, fields.size() == 1);
    }
    text += '\n';
  };
  if (!table.header.empty()) add(table.header);
  for (std::size_t row = 0; row < table.rows.size(); ++row) {
    const std::vector<std::string>& fields = table.rows[row].fields;
    if (fields.size() != columns) {
      fail<ValueError>("save_csv: row {} has {} fields, expected {}", row, fields.size(), columns);
    }
    add(fields);
  }
  detail::AtomicFile file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

}  // namespace temper
