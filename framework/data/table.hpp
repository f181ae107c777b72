#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace temper::data {

/// The type of a column: numbers, categories (few different words) or free text.
enum class ColumnType { number, category, text };

struct TableOptions {
  /// Types of columns, by name. Those of the others are inferred: number when all fields are numbers; category when
  /// there are at most 20 different words, or at most half as many as rows (10,000 at most); else text.
  std::map<std::string, ColumnType> types = {};
  std::vector<std::string> columns = {};  ///< which to read; by default all
  char delimiter = ',';
  bool header = true;  ///< the first row names the columns; else they are "0", "1" and so on
};

/// A CSV file with typed columns, plain or compressed by gzip. Fields that are empty, ?, NA, N/A, n/a, NaN, nan, NULL,
/// null or None are missing. Blanks around names, numbers and categories are removed, but not around texts.
class Table {
 public:
  /// A column's name, and the type that its fields are read as.
  struct Column {
    std::string name;
    ColumnType type = ColumnType::number;
  };

  /// Throws: FileError with line and column for a damaged file, a column that does not exist, a field of a number
  /// column that is no number, text that is not UTF-8. When at least 95 % of an undeclared column are numbers but not
  /// all, that is an error, too, rather than a category by accident.
  explicit Table(const std::filesystem::path& path, const TableOptions& options = {});
  /// The same from memory; `name` is for messages.
  static Table parse(std::string_view text, std::string_view name, const TableOptions& options = {});

  /// Rows.
  std::int64_t size() const { return static_cast<std::int64_t>(lines_.size()); }
  /// In the order of the file.
  std::vector<Column> columns() const;
  /// Whether there is a column of this name.
  bool has(std::string_view column) const;
  /// A column of numbers; NaN where they are missing. Throws: ValueError for a column of another type.
  std::span<const double> numbers(std::string_view column) const;
  /// A column of categories or texts, one field a row; empty where missing. Throws: ValueError for a column of numbers.
  std::vector<std::string> words(std::string_view column) const;
  /// The rows with these indices, in this order. Throws: ValueError for an index out of range.
  Table rows(std::span<const std::int64_t> numbers) const;

  /// The path it was read from.
  const std::string& name() const { return name_; }
  /// The line in the file where a row starts, from 1.
  std::int64_t line(std::int64_t row) const { return lines_[static_cast<std::size_t>(row)]; }

 private:
  friend class TableTransform;
  struct Storage : Column {
    std::vector<double> numbers{};
    std::vector<std::int32_t> codes{};  // numbers of words; -1 where they are missing
    std::shared_ptr<const std::vector<std::string>> words{};
  };

  Table() = default;
  static Table read(std::string_view text, std::string_view name, const TableOptions& options,
                    std::string_view need_not_be_there);
  const Storage& find(std::string_view column) const;

  std::string name_;
  std::vector<std::int64_t> lines_;
  std::vector<Storage> columns_;
};

}  // namespace temper::data
