#include <temper/data/csv.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>

#include <temper/data/tensor_dataset.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"

namespace temper::data {

namespace {

using temper::detail::printable;

constexpr std::uint64_t largest_file = std::uint64_t{4} << 30;

/// Goes through the text a character at a time and knows where it is.
class Reader {
 public:
  Reader(std::string_view text, std::string_view name, char delimiter)
      : text_(text), name_(name), delimiter_(delimiter) {
    if (text_.starts_with("\xef\xbb\xbf")) place_ = 3;  // spreadsheets put it there
  }

  bool done() const { return place_ == text_.size(); }

  CsvTable::Row row() {
    CsvTable::Row row{line_, {}};
    column_ = 1;
    for (;; ++column_) {
      row.fields.push_back(!done() && text_[place_] == '"' ? quoted() : bare());
      if (done() || text_[place_] != delimiter_) break;
      ++place_;
    }
    if (!done() && text_[place_] == '\r') ++place_;
    if (!done()) ++place_;  // the line's end
    ++line_;
    return row;
  }

  template <class... Args>
  [[noreturn]] void wrong(std::int64_t line, fmt::format_string<Args...> text, Args&&... args) const {
    fail<FileError>("{}:{}: {}", printable(name_), line, fmt::format(text, std::forward<Args>(args)...));
  }

 private:
  bool at_line_end() const {
    return text_[place_] == '\n' || (text_[place_] == '\r' && place_ + 1 < text_.size() && text_[place_ + 1] == '\n');
  }

  std::string bare() {
    const std::size_t begin = place_;
    while (!done() && text_[place_] != delimiter_ && !at_line_end()) {
      if (text_[place_] == '"') wrong(line_, "column {}: a quote within a field that does not begin with one", column_);
      ++place_;
    }
    return std::string(text_.substr(begin, place_ - begin));
  }

  std::string quoted() {
    const std::int64_t first_line = line_;
    std::string field;
    for (++place_;;) {
      if (done()) wrong(first_line, "column {}: a quote without end", column_);
      const char c = text_[place_++];
      if (c == '"') {
        if (done() || text_[place_] != '"') break;
        ++place_;
      } else if (c == '\n') {
        ++line_;
      }
      field += c;
    }
    if (!done() && text_[place_] != delimiter_ && !at_line_end()) {
      wrong(line_, "column {}: '{}' after the closing quote", column_, printable(text_.substr(place_, 1)));
    }
    return field;
  }

  std::string_view text_;
  std::string_view name_;
  char delimiter_;
  std::size_t place_ = 0;
  std::int64_t line_ = 1;
  std::int64_t column_ = 1;
};

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t"), end = text.find_last_not_of(" \t");
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin, end - begin + 1);
}

std::optional<float> number(std::string_view field) {
  const std::string_view text = trimmed(field);
  float value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return {};
  return value;
}

std::optional<std::int64_t> whole_number(std::string_view field) {
  const std::string_view text = trimmed(field);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return {};
  return value;
}

}  // namespace

CsvTable parse_csv(std::string_view text, std::string_view name, const CsvTableOptions& options) {
  CsvTable table;
  Reader reader(text, name, options.delimiter);
  if (reader.done()) fail<FileError>("{}: the file is empty", printable(name));
  std::size_t fields = 0;
  while (!reader.done()) {
    CsvTable::Row row = reader.row();
    if (fields == 0) fields = row.fields.size();
    if (row.fields.size() != fields) {
      reader.wrong(row.line, "{} fields, the first row has {}", row.fields.size(), fields);
    }
    table.rows.push_back(std::move(row));
  }
  if (options.header) {
    table.header = std::move(table.rows.front().fields);
    table.rows.erase(table.rows.begin());
    std::set<std::string_view> seen;
    for (const std::string& column : table.header) {
      if (!seen.insert(column).second) reader.wrong(1, "column '{}' occurs twice", printable(column));
    }
  }
  return table;
}

CsvTable read_csv(const std::filesystem::path& path, const CsvTableOptions& options) {
  return parse_csv(temper::detail::read_text(path, largest_file), path.native(), options);
}

CsvDataset::CsvDataset(const std::filesystem::path& path, const CsvOptions& options)
    : class_names_(options.class_names) {
  const std::string name = printable(path.native());
  CsvTable table = read_csv(path, {.delimiter = options.delimiter, .header = options.header});
  if (table.rows.empty()) fail<FileError>("{}: no rows", name);
  const std::size_t width = table.rows.front().fields.size();
  if (!options.header) {
    for (std::size_t i = 0; i < width; ++i) table.header.push_back(fmt::format("{}", i));
  }
  const auto find = [&](const std::string& column) {
    const auto found = std::ranges::find(table.header, column);
    if (found == table.header.end()) {
      fail<FileError>("{}: no column '{}'; there are: {}", name, printable(column),
                      printable(fmt::format("{}", fmt::join(table.header, ", "))));
    }
    return static_cast<std::size_t>(found - table.header.begin());
  };
  const std::size_t label_column = find(options.label);
  std::vector<std::size_t> chosen;
  if (options.columns.empty()) {
    for (std::size_t i = 0; i < width; ++i) {
      if (i != label_column) chosen.push_back(i);
    }
  } else {
    for (const std::string& column : options.columns) chosen.push_back(find(column));
  }
  for (const std::size_t i : chosen) columns_.push_back(table.header[i]);

  const auto count = static_cast<std::int64_t>(table.rows.size());
  features_ = empty({count, static_cast<std::int64_t>(chosen.size())});
  labels_ = empty({count}, Dtype::i64);
  float* feature = features_.mutable_data<float>();
  for (const CsvTable::Row& row : table.rows) {
    for (const std::size_t i : chosen) {
      const std::optional<float> value = number(row.fields[i]);
      if (!value) {
        fail<FileError>("{}:{}: column '{}': '{}' is not a finite number", name, row.line, printable(table.header[i]),
                        printable(row.fields[i]));
      }
      *feature++ = *value;
    }
  }

  const auto label_of = [&](const CsvTable::Row& row) -> const std::string& { return row.fields[label_column]; };
  const bool numbers = class_names_.empty() && std::ranges::all_of(table.rows, [&](const CsvTable::Row& row) {
                         return whole_number(label_of(row)).has_value();
                       });
  if (!numbers && class_names_.empty()) {
    std::set<std::string> names;
    for (const CsvTable::Row& row : table.rows) names.insert(label_of(row));
    class_names_.assign(names.begin(), names.end());
  }
  std::int64_t* label = labels_.mutable_data<std::int64_t>();
  for (const CsvTable::Row& row : table.rows) {
    if (numbers) {
      *label++ = *whole_number(label_of(row));
      continue;
    }
    const auto found = std::ranges::find(class_names_, label_of(row));
    if (found == class_names_.end()) {
      fail<FileError>("{}:{}: label '{}' is none of the {} classes", name, row.line, printable(label_of(row)),
                      class_names_.size());
    }
    *label++ = found - class_names_.begin();
  }
}

std::array<Tensor, 2> CsvDataset::get(std::int64_t i) const {
  return {detail::row_of(features_, i), detail::row_of(labels_, i)};
}

std::array<Tensor, 2> CsvDataset::batch(std::span<const std::int64_t> indices) const {
  return {detail::gather_rows(features_, indices), detail::gather_rows(labels_, indices)};
}

}  // namespace temper::data
