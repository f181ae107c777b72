#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <temper/data/dataset.hpp>

namespace temper::data {

/// The fields of a CSV file as text.
struct CsvTable {
  struct Row {
    std::int64_t line;  ///< where it begins, from 1
    std::vector<std::string> fields;
  };
  std::vector<std::string> header;  ///< empty when there is none
  std::vector<Row> rows;
};

struct CsvTableOptions {
  char delimiter = ',';
  bool header = true;  ///< the first row names the columns
};

/// Reads comma-separated values in UTF-8; fields may be quoted. Lines end in "\n" or "\r\n"; every row has as many
/// fields as the first; blank lines of a table of several columns are left out. Throws: FileError with line and column,
/// for a quote out of place or without end, a row of another length, a name that occurs twice, UTF-16.
/// Source: RFC 4180.
CsvTable read_csv(const std::filesystem::path& path, const CsvTableOptions& options = {});
/// The same from memory; `name` is for messages.
CsvTable parse_csv(std::string_view text, std::string_view name, const CsvTableOptions& options = {});

struct CsvOptions {
  std::string label;                          ///< name of the label's column (or its number from 0, without a header)
  std::vector<std::string> columns = {};      ///< of the features; by default all others
  std::vector<std::string> class_names = {};  ///< labels as text and their order; by default as found, sorted
  char delimiter = ',';
  bool header = true;
  /// The labels are numbers to be predicted, f32 [], not classes.
  bool regression = false;
  /// What a feature becomes where it is missing: empty, ?, NA, N/A, n/a, NaN, nan, NULL, null or None. By default that
  /// is an error.
  std::optional<float> missing = std::nullopt;
};

/// A table of numbers with a class in one column: example i is {features f32 [columns], label i64 []}. Labels that are
/// all whole numbers from 0 on are the classes; others are names, numbered in the order of class_names(). Labels that
/// are numbers with a fraction, or too large to be classes, are an error unless `.regression` makes them targets: then
/// the label is f32 []. Copies share the numbers.
class CsvDataset {
 public:
  /// Throws: FileError with line and column, for a damaged file, a column that is not there, a field that is not a
  /// finite number, or a label that is not among the class names; ValueError for options that contradict each other.
  explicit CsvDataset(const std::filesystem::path& path, const CsvOptions& options);

  std::int64_t size() const { return features_.size(0); }
  /// Throws: ShapeError for an example that is not there.
  std::array<Tensor, 2> get(std::int64_t i) const;
  std::array<Tensor, 2> batch(std::span<const std::int64_t> indices) const;

  /// f32 [rows, columns]
  const Tensor& features() const { return features_; }
  /// i64 [rows], or f32 with `.regression`
  const Tensor& labels() const { return labels_; }
  /// Names of the features.
  const std::vector<std::string>& columns() const { return columns_; }
  /// Empty when the labels are numbers.
  const std::vector<std::string>& class_names() const { return class_names_; }

 private:
  Tensor features_, labels_;
  std::vector<std::string> columns_, class_names_;
};

}  // namespace temper::data
