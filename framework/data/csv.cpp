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
    if (text_.starts_with("\xff\xfe") || text_.starts_with("\xfe\xff")) {
      wrong(1, "the text is UTF-16; save it as UTF-8");
    }
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
      if (text_[place_] == '\r') {
        wrong(line_, "column {}: a carriage return without a line feed; save the file with lines that end as on Unix",
              column_);
      }
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

/// Without the plus sign that from_chars does not take.
std::string_view numeral(std::string_view field) {
  std::string_view text = trimmed(field);
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  return text;
}

/// A finite number; one that is too small for a float is 0.
std::optional<float> number(std::string_view field) {
  const std::string_view text = numeral(field);
  const char* const all = text.data() + text.size();
  float value = 0;
  auto [end, error] = std::from_chars(text.data(), all, value);
  if (error == std::errc::result_out_of_range) {  // too small or too large: a wider type tells
    long double wide = 0;
    error = std::from_chars(text.data(), all, wide).ec;
    value = static_cast<float>(wide);
  }
  if (error != std::errc() || end != all || !std::isfinite(value)) return {};
  return value;
}

std::optional<std::int64_t> whole_number(std::string_view field) {
  const std::string_view text = numeral(field);
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
    if (row.fields.size() == 1 && row.fields.front().empty() && fields != 1) continue;  // a blank line
    if (fields == 0) fields = row.fields.size();
    if (row.fields.size() != fields) {
      reader.wrong(row.line, "{} fields, the first row has {}", row.fields.size(), fields);
    }
    table.rows.push_back(std::move(row));
  }
  if (table.rows.empty()) fail<FileError>("{}: nothing but blank lines", printable(name));
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

namespace {

/// What other programs write where a value is missing.
bool is_missing(std::string_view field) {
  constexpr std::string_view names[] = {"", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "?"};
  return std::ranges::find(names, trimmed(field)) != std::end(names);
}

/// A class by number. Spreadsheets and pandas write 3 as 3.0.
std::optional<std::int64_t> class_number(std::string_view field) {
  if (const auto whole = whole_number(field)) return whole;
  const std::optional<float> value = number(field);
  if (!value || *value < 0 || *value != std::floor(*value) || *value > 1e6f) return {};
  return static_cast<std::int64_t>(*value);
}

/// A table being read: where its columns are, and errors that say line and column.
struct Columns {
  const CsvTable& table;
  std::string name;  // the file's

  std::size_t find(const std::string& column) const {
    const auto found = std::ranges::find(table.header, column);
    if (found == table.header.end()) {
      fail<FileError>("{}: no column '{}'; there are: {}", name, printable(column),
                      printable(fmt::format("{}", fmt::join(table.header, ", "))));
    }
    return static_cast<std::size_t>(found - table.header.begin());
  }

  float number_at(const CsvTable::Row& row, std::size_t column) const {
    const std::optional<float> value = number(row.fields[column]);
    if (!value) {
      fail<FileError>("{}:{}: column '{}': '{}' is not a finite number", name, row.line,
                      printable(table.header[column]), printable(row.fields[column]));
    }
    return *value;
  }
};

/// Labels i64 [rows]; fills `class_names` unless they are numbers or given.
Tensor classes_of(const Columns& columns, std::size_t label, std::vector<std::string>& class_names) {
  const std::vector<CsvTable::Row>& rows = columns.table.rows;
  const auto all = [&](auto&& kind) {
    return class_names.empty() &&
           std::ranges::all_of(rows, [&](const CsvTable::Row& row) { return kind(row.fields[label]).has_value(); });
  };
  constexpr std::string_view remedy =
      "; set .regression for targets that are numbers, or .class_names for classes that look like numbers";
  const bool numbers = all(class_number);
  if (!numbers && all(number)) {
    const auto odd = std::ranges::find_if(rows, [&](const CsvTable::Row& row) {
      return *number(row.fields[label]) != std::floor(*number(row.fields[label]));
    });
    if (odd != rows.end()) {
      fail<FileError>("{}:{}: label '{}' is a number, but none of a class{}", columns.name, odd->line,
                      printable(odd->fields[label]), remedy);
    }
  }
  if (!numbers && class_names.empty()) {
    std::set<std::string> names;
    for (const CsvTable::Row& row : rows) names.insert(row.fields[label]);
    class_names.assign(names.begin(), names.end());
  }
  Tensor labels = empty({static_cast<std::int64_t>(rows.size())}, Dtype::i64);
  std::int64_t* out = labels.mutable_data<std::int64_t>();
  for (const CsvTable::Row& row : rows) {
    const std::string& field = row.fields[label];
    if (numbers) {
      const std::int64_t which = *class_number(field);
      // A price, a year: nobody has a thousand classes in fewer rows.
      if (which >= 1000 && which >= labels.numel()) {
        fail<FileError>("{}:{}: label '{}' would be a class of {} in {} rows{}", columns.name, row.line,
                        printable(field), which + 1, labels.numel(), remedy);
      }
      *out++ = which;
      continue;
    }
    const auto found = std::ranges::find(class_names, field);
    if (found == class_names.end()) {
      fail<FileError>("{}:{}: label '{}' is none of the {} classes", columns.name, row.line, printable(field),
                      class_names.size());
    }
    *out++ = found - class_names.begin();
  }
  return labels;
}

}  // namespace

CsvDataset::CsvDataset(const std::filesystem::path& path, const CsvOptions& options)
    : class_names_(options.class_names) {
  CsvTable table = read_csv(path, {.delimiter = options.delimiter, .header = options.header});
  const Columns columns{table, printable(path.native())};
  if (table.rows.empty()) fail<FileError>("{}: no rows", columns.name);
  const std::size_t width = table.rows.front().fields.size();
  if (!options.header) {
    for (std::size_t i = 0; i < width; ++i) table.header.push_back(fmt::format("{}", i));
  }
  const std::size_t label = columns.find(options.label);
  std::vector<std::size_t> chosen;
  if (options.columns.empty()) {
    for (std::size_t i = 0; i < width; ++i) {
      if (i != label) chosen.push_back(i);
    }
  } else {
    for (const std::string& column : options.columns) chosen.push_back(columns.find(column));
  }
  for (const std::size_t i : chosen) columns_.push_back(table.header[i]);

  const auto count = static_cast<std::int64_t>(table.rows.size());
  features_ = empty({count, static_cast<std::int64_t>(chosen.size())});
  float* feature = features_.mutable_data<float>();
  for (const CsvTable::Row& row : table.rows) {
    for (const std::size_t i : chosen) {
      const bool missing = options.missing && is_missing(row.fields[i]);
      *feature++ = missing ? *options.missing : columns.number_at(row, i);
    }
  }
  if (options.regression) {
    if (!class_names_.empty()) fail<ValueError>("csv: .class_names with .regression, expected one of them");
    labels_ = empty({count});
    float* target = labels_.mutable_data<float>();
    for (const CsvTable::Row& row : table.rows) *target++ = columns.number_at(row, label);
  } else {
    labels_ = classes_of(columns, label, class_names_);
  }
}

std::array<Tensor, 2> CsvDataset::get(std::int64_t i) const {
  return {detail::row_of(features_, i), detail::row_of(labels_, i)};
}

std::array<Tensor, 2> CsvDataset::batch(std::span<const std::int64_t> indices) const {
  return {detail::gather_rows(features_, indices), detail::gather_rows(labels_, indices)};
}

}  // namespace temper::data
