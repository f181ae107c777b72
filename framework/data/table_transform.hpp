#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <temper/data/csv.hpp>
#include <temper/data/table.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper::data {

/// How numbers are scaled: not at all; to mean 0 and variance 1; or by their quantile among the training rows, to a
/// uniform distribution from 0 to 1 or a standard normal one.
enum class Scaling { none, standard, quantile_uniform, quantile_normal };

/// How categories are encoded: as indices for an embedding, 0 for unknown ones; or one-hot, all 0 for unknown ones.
enum class CategoryEncoding { index, one_hot };

struct TableTransformOptions {
  std::string target = {};                       ///< the column to predict; empty: none
  bool regression = false;                       ///< the target is a number to be predicted, f32, not a class
  bool standardize_target = false;               ///< of a regression: the target gets mean 0 and deviation 1
  std::vector<std::string> columns = {};         ///< the features; by default all numbers and categories but the target
  Scaling scaling = Scaling::standard;           ///< of all columns of numbers
  std::map<std::string, Scaling> scalings = {};  ///< of some columns, instead
  std::int64_t quantiles = 1000;                 ///< at most, for the quantile scalings
  /// Adds a feature for each column with missing numbers in the training rows: 1 where the number is missing.
  bool missing_indicators = false;
  CategoryEncoding categories = CategoryEncoding::index;
  std::int64_t min_count = 1;  ///< categories in fewer training rows count as unknown
};

/// /// The tensors of a table.
struct TableTensors {
  Tensor numbers;     ///< f32 [rows, features]
  Tensor categories;  ///< i64 [rows, columns], or [rows, 0] with one-hot
  Tensor target;      ///< i64 [rows], or f32 with `.regression`; undefined when the table does not have it
};

/// Turns tables into tensors, with statistics of the training rows alone: means, quantiles, categories. Save it with
/// the model and apply it again on prediction:
///
///     const data::Table table("flats.csv");
///     const auto [train, test] = data::random_indices(table.size(), {0.8, 0.2}, 1);
///     const data::TableTransform transform(table.rows(train), {.target = "price", .regression = true});
///     const auto [numbers, categories, target] = transform(table.rows(train));
///     save("flats.json", transform);
///
///     const auto same = data::TableTransform::load("flats.json");
///     const auto fresh = same(same.read("new.csv"));
///
/// Missing numbers become the median of the training rows. Missing categories are a category of their own if the
/// training rows have any, else unknown.
class TableTransform {
 public:
  /// Fits to these rows. Throws: ValueError for options that contradict each other or the table; FileError with line
  /// and column for a target that is missing or does not fit the options.
  TableTransform(const Table& training, const TableTransformOptions& options);

  /// Throws: ValueError for a column that is missing or of another type; FileError with line and column for a target
  /// that is none of the known classes.
  TableTensors operator()(const Table& table) const;

  /// Reads the columns that the transform needs, with the types it expects. The target may be absent.
  /// Throws: as Table.
  Table read(const std::filesystem::path& path, const CsvTableOptions& options = {}) const;

  /// Names of the features in `numbers`: the column's, "COLUMN is missing", and "COLUMN=WORD" with one-hot.
  const std::vector<std::string>& features() const { return features_; }
  /// Names of the columns in `categories`.
  std::vector<std::string> category_columns() const;
  /// For each of them the number of indices, 0 included: the size of its embedding.
  std::vector<std::int64_t> category_sizes() const;
  /// Number of classes of the target; 0 for a regression or without target.
  std::int64_t classes() const { return classes_; }
  /// Empty when the table has the classes as numbers.
  const std::vector<std::string>& class_names() const { return class_names_; }
  /// Undoes .standardize_target: predictions of any shape, in the target's units.
  Tensor in_units(const Tensor& predictions) const;

  /// As JSON, for a file of its own or the metadata of a model.
  std::string serialized() const;
  /// Throws: FileError that begins with `name`.
  static TableTransform parse(std::string_view text, std::string_view name);
  /// Reads what save(path, transform) wrote. Throws: FileError that begins with the path.
  static TableTransform load(const std::filesystem::path& path);

 private:
  struct Number {
    std::string column;
    Scaling scaling = Scaling::standard;
    bool indicator = false;
    double median = 0, mean = 0, deviation = 1;
    std::vector<double> quantiles{};  // rising
  };
  struct Category {
    std::string column;
    std::vector<std::string> words{};  // sorted; "" is a missing one
  };

  TableTransform() = default;
  void name_features();
  std::vector<float> scaled(const Number& number, const Table& table) const;
  std::vector<std::int64_t> indices(const Category& category, const Table& table) const;
  void learn_target(const Table& training);
  Tensor target_of(const Table& table) const;

  std::vector<Number> numbers_;
  std::vector<Category> categories_;
  bool one_hot_ = false;
  std::string target_;
  bool regression_ = false;
  double target_mean_ = 0, target_deviation_ = 1;
  std::int64_t classes_ = 0;
  std::vector<std::string> class_names_;
  std::vector<std::string> features_;
};

}  // namespace temper::data
