#include <temper/data/csv.hpp>

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include <temper/data/tensor_dataset.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/data/csv_internal.hpp"
#include "framework/data/file_internal.hpp"

namespace temper::data {

using temper::detail::number_in;
using temper::detail::printable;

CsvTable parse_csv(std::string_view text, std::string_view name, const CsvTableOptions& options) {
  CsvTable table;
  temper::detail::CsvRows rows(text, name, options.delimiter);
  while (rows.next()) table.rows.push_back({rows.line(), {rows.fields().begin(), rows.fields().end()}});
  if (options.header) {
    table.header = std::move(table.rows.front().fields);
    table.rows.erase(table.rows.begin());
    std::set<std::string_view> seen;
    for (const std::string& column : table.header) {
      if (!seen.insert(column).second) rows.wrong(1, "column '{}' occurs twice", printable(column));
    }
  }
  return table;
}

CsvTable read_csv(const std::filesystem::path& path, const CsvTableOptions& options) {
  return parse_csv(temper::detail::read_text(path, temper::detail::largest_csv), path.native(), options);
}

namespace {

/// A class by number. Spreadsheets and pandas write 3 as 3.0.
std::optional<std::int64_t> class_number(std::string_view field) {
  if (const auto whole = temper::detail::whole_number_in(field)) return whole;
  const std::optional<float> value = number_in<float>(field);
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
    const std::optional<float> value = number_in<float>(row.fields[column]);
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
  if (!numbers && all(number_in<float>)) {
    const auto odd = std::ranges::find_if(rows, [&](const CsvTable::Row& row) {
      return *number_in<float>(row.fields[label]) != std::floor(*number_in<float>(row.fields[label]));
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
      const bool missing = options.missing && temper::detail::is_missing(row.fields[i]);
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
