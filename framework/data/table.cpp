#include <temper/data/table.hpp>

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include <temper/core/errors.hpp>
#include <temper/data/subset.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/data/csv_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/utf8_internal.hpp"

namespace temper::data {

namespace {

using temper::detail::CsvRows;
using temper::detail::is_missing;
using temper::detail::number_in;
using temper::detail::printable;
using temper::detail::trimmed;

constexpr std::size_t always_categories = 20, most_categories = 10'000;

/// What is known of a column after all its fields were seen.
struct Seen {
  std::int64_t present = 0, numbers = 0;
  std::int64_t odd_line = 0;  // of the first field that is no number
  std::string odd{};
  std::unordered_set<std::string> words{};  // different ones, until there are too many

  bool all_numbers() const { return numbers == present; }

  void add(std::string_view field, std::int64_t line) {
    if (is_missing(field)) return;
    ++present;
    if (number_in<double>(field)) {
      ++numbers;
    } else if (odd_line == 0) {
      odd_line = line;
      odd = field.substr(0, 200);
    }
  }
  void add_word(std::string_view field) {
    if (!is_missing(field) && words.size() <= most_categories) words.emplace(trimmed(field));
  }
};

/// A field of a row that becomes a column.
struct Wanted {
  std::size_t field;
  Table::Column column;
  bool declared;
};

const char* name_of(ColumnType type) {
  return type == ColumnType::number ? "numbers" : type == ColumnType::category ? "categories" : "texts";
}

void check_utf8(std::string_view text, std::string_view name) {
  const std::size_t bad = temper::detail::find_invalid_utf8(text);
  if (bad == std::string_view::npos) return;
  fail<FileError>("{}:{}: byte {:02x} is not UTF-8; save the file as UTF-8", printable(name),
                  1 + std::ranges::count(text.substr(0, bad), '\n'), static_cast<unsigned char>(text[bad]));
}

std::vector<std::string> header_of(CsvRows& rows, bool named) {
  std::vector<std::string> header;
  if (!named) {
    for (std::size_t i = 0; i < rows.fields().size(); ++i) header.push_back(fmt::format("{}", i));
    return header;
  }
  std::set<std::string_view> seen;
  for (const std::string_view field : rows.fields()) header.emplace_back(trimmed(field));
  for (const std::string& name : header) {
    if (!seen.insert(name).second) rows.wrong(rows.line(), "column '{}' occurs twice", printable(name));
  }
  return header;
}

ColumnType inferred(const Seen& seen, const std::string& column, const CsvRows& rows) {
  if (seen.all_numbers()) return ColumnType::number;
  if (seen.numbers * 20 >= seen.present * 19) {
    rows.wrong(seen.odd_line,
               "column '{}': '{}' is not a finite number, as {} of its {} fields are; mend it, or declare the "
               "column's type",
               printable(column), printable(seen.odd), seen.numbers, seen.present);
  }
  const std::size_t words = seen.words.size();
  const bool few = words <= always_categories || words <= static_cast<std::size_t>(seen.present) / 2;
  return few && words <= most_categories ? ColumnType::category : ColumnType::text;
}

/// Finds out what the columns hold whose types nobody declared.
void infer(std::vector<Wanted>& wanted, std::string_view text, std::string_view name, const TableOptions& options) {
  std::vector<Seen> seen(wanted.size());
  const auto each_field = [&](auto&& wants, auto&& body) {
    std::vector<std::size_t> which;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (!wanted[i].declared && wants(seen[i])) which.push_back(i);
    }
    CsvRows rows(text, name, options.delimiter);
    if (which.empty()) return rows;
    if (options.header) rows.next();
    while (rows.next()) {
      for (const std::size_t i : which) body(seen[i], rows.fields()[wanted[i].field], rows.line());
    }
    return rows;
  };
  each_field([](const Seen&) { return true; },
             [](Seen& column, std::string_view field, std::int64_t line) { column.add(field, line); });
  const CsvRows rows = each_field([](const Seen& column) { return !column.all_numbers(); },
                                  [](Seen& column, std::string_view field, std::int64_t) { column.add_word(field); });
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    Table::Column& column = wanted[i].column;
    if (!wanted[i].declared) column.type = inferred(seen[i], column.name, rows);
  }
}

}  // namespace

Table Table::read(std::string_view text, std::string_view name, const TableOptions& options,
                  std::string_view need_not_be_there) {
  check_utf8(text, name);
  CsvRows rows(text, name, options.delimiter);
  rows.next();
  const std::vector<std::string> header = header_of(rows, options.header);
  const auto check_column = [&](const std::string& column) {
    if (std::ranges::find(header, column) != header.end() || column == need_not_be_there) return;
    fail<FileError>("{}: no column '{}'; there are: {}", printable(name), printable(column),
                    printable(fmt::format("{}", fmt::join(header, ", "))));
  };
  std::vector<Wanted> wanted;
  for (std::size_t field = 0; field < header.size(); ++field) {
    const std::string& column = header[field];
    if (!options.columns.empty() && std::ranges::find(options.columns, column) == options.columns.end()) continue;
    const auto declared = options.types.find(column);
    const bool is_declared = declared != options.types.end();
    wanted.push_back({field, {column, is_declared ? declared->second : ColumnType::number}, is_declared});
  }
  for (const std::string& column : options.columns) check_column(column);
  for (const auto& [column, type] : options.types) check_column(column);
  // Before anything is kept: the fields of a large file as texts would not fit beside it.
  infer(wanted, text, name, options);

  Table table;
  table.name_ = printable(name);
  std::vector<std::unordered_map<std::string, std::int32_t>> codes(wanted.size());
  std::vector<std::vector<std::string>> words(wanted.size());
  for (const Wanted& one : wanted) table.columns_.push_back({one.column});
  for (bool more = options.header ? rows.next() : true; more; more = rows.next()) {
    table.lines_.push_back(rows.line());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      Storage& column = table.columns_[i];
      const std::string_view field = rows.fields()[wanted[i].field];
      const bool missing = is_missing(field);
      if (column.type == ColumnType::number) {
        const std::optional<double> value = missing ? std::nan("") : number_in<double>(field);
        if (!value) {
          rows.wrong(rows.line(), "column '{}': '{}' is not a finite number", printable(column.name), printable(field));
        }
        column.numbers.push_back(*value);
      } else if (missing) {
        column.codes.push_back(-1);
      } else {
        const std::string_view word = column.type == ColumnType::category ? trimmed(field) : field;
        const auto [at, is_new] = codes[i].emplace(word, static_cast<std::int32_t>(words[i].size()));
        if (is_new) words[i].emplace_back(word);
        column.codes.push_back(at->second);
      }
    }
  }
  for (std::size_t i = 0; i < words.size(); ++i) {
    table.columns_[i].words = std::make_shared<const std::vector<std::string>>(std::move(words[i]));
  }
  return table;
}

Table::Table(const std::filesystem::path& path, const TableOptions& options)
    : Table(read(temper::detail::read_text(path, temper::detail::largest_csv), path.native(), options, {})) {}

Table Table::parse(std::string_view text, std::string_view name, const TableOptions& options) {
  return read(text, name, options, {});
}

std::vector<Table::Column> Table::columns() const { return {columns_.begin(), columns_.end()}; }

bool Table::has(std::string_view column) const {
  return std::ranges::find(columns_, column, &Column::name) != columns_.end();
}

const Table::Storage& Table::find(std::string_view column) const {
  const auto found = std::ranges::find(columns_, column, &Column::name);
  if (found != columns_.end()) return *found;
  std::vector<std::string> names;
  for (const Column& there : columns_) names.push_back(there.name);
  fail<ValueError>("{}: no column '{}'; there are: {}", name_, printable(column),
                   printable(fmt::format("{}", fmt::join(names, ", "))));
}

std::span<const double> Table::numbers(std::string_view column) const {
  const Storage& found = find(column);
  if (found.type != ColumnType::number) {
    fail<ValueError>("{}: column '{}' holds {}, not numbers", name_, printable(column), name_of(found.type));
  }
  return found.numbers;
}

std::vector<std::string> Table::words(std::string_view column) const {
  const Storage& found = find(column);
  if (found.type == ColumnType::number) {
    fail<ValueError>("{}: column '{}' holds numbers, not words; declare its type to have them", name_,
                     printable(column));
  }
  std::vector<std::string> words;
  words.reserve(found.codes.size());
  for (const std::int32_t code : found.codes) {
    words.push_back(code < 0 ? std::string() : (*found.words)[static_cast<std::size_t>(code)]);
  }
  return words;
}

Table Table::rows(std::span<const std::int64_t> numbers) const {
  detail::check_indices(numbers, size(), "Table");
  Table table;
  table.name_ = name_;
  const auto picked = [&]<class T>(const std::vector<T>& all) {
    std::vector<T> some;
    some.reserve(all.empty() ? 0 : numbers.size());
    if (!all.empty()) {
      for (const std::int64_t row : numbers) some.push_back(all[static_cast<std::size_t>(row)]);
    }
    return some;
  };
  table.lines_ = picked(lines_);
  for (const Storage& column : columns_) {
    table.columns_.push_back({{column.name, column.type}, picked(column.numbers), picked(column.codes), column.words});
  }
  return table;
}

}  // namespace temper::data
