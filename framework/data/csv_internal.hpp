#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"

namespace temper::detail {

inline constexpr std::uint64_t largest_csv = std::uint64_t{4} << 30;

/// The rows of a CSV file one after the other, all of one width. Blank lines of a table of several columns are left
/// out. Throws: FileError with the line.
class CsvRows {
 public:
  /// The text must outlive this.
  CsvRows(std::string_view text, std::string_view name, char delimiter);

  /// Goes on to the next row, if there is one.
  bool next();
  /// Of this row, until the next is asked for.
  std::span<const std::string_view> fields() const { return fields_; }
  /// Where this row begins, from 1.
  std::int64_t line() const { return row_line_; }

  template <class... Args>
  [[noreturn]] void wrong(std::int64_t line, fmt::format_string<Args...> text, Args&&... args) const {
    fail<FileError>("{}:{}: {}", printable(name_), line, fmt::format(text, std::forward<Args>(args)...));
  }

 private:
  bool done() const { return place_ == text_.size(); }
  bool at_line_end() const;
  void read_row();
  std::string_view bare();
  std::string_view quoted();

  std::string_view text_;
  std::string_view name_;
  char delimiter_;
  std::size_t place_ = 0;
  std::int64_t line_ = 1, row_line_ = 1;
  std::size_t width_ = 0;  // 0 before the first row
  std::vector<std::string_view> fields_;
  std::deque<std::string> unquoted_;  // fields of this row that do not stand in the text as they are
};

std::string_view trimmed(std::string_view text);

/// Whether it is what other programs write where a value is missing.
bool is_missing(std::string_view field);

/// A finite number; one that is too small for T is 0. T is float or double.
template <class T>
std::optional<T> number_in(std::string_view field);

/// Whole, and not below 0.
std::optional<std::int64_t> whole_number_in(std::string_view field);

}  // namespace temper::detail
