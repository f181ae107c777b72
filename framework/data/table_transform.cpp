#include <temper/data/table_transform.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "framework/core/format_internal.hpp"
#include "framework/data/csv_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/quantiles_internal.hpp"

namespace temper::data {

namespace {

using temper::detail::printable;

struct Moments {
  double mean = 0, deviation = 1;
};

/// A column that is the same everywhere, but for rounding, has deviation 1, as in scikit-learn.
Moments moments_of(std::span<const double> values) {
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (const double x : values) squares += (x - mean) * (x - mean);
  const double variance = squares / n, eps = std::numeric_limits<double>::epsilon();
  const bool constant = variance <= n * eps * variance + (n * mean * eps) * (n * mean * eps);
  return {mean, constant ? 1.0 : std::sqrt(variance)};
}

std::vector<double> present(std::span<const double> values) {
  std::vector<double> there;
  std::ranges::copy_if(values, std::back_inserter(there), [](double x) { return !std::isnan(x); });
  return there;
}

constexpr std::string_view remedy =
    "; set .regression for targets that are numbers, or declare the column as categories for classes that look like "
    "numbers";

/// A class by number.
bool is_class(double value) { return value >= 0 && value == std::floor(value) && value <= 1e6; }

}  // namespace

TableTransform::TableTransform(const Table& training, const TableTransformOptions& options)
    : one_hot_(options.categories == CategoryEncoding::one_hot),
      target_(options.target),
      regression_(options.regression) {
  if (training.size() == 0) fail<ValueError>("{}: no rows to learn a transform from", training.name());
  if (options.quantiles < 2) fail<ValueError>("TableTransform: {} quantiles, expected 2 or more", options.quantiles);
  if (options.min_count < 1) fail<ValueError>("TableTransform: min_count {}, expected 1 or more", options.min_count);
  if (options.standardize_target && !options.regression) {
    fail<ValueError>("TableTransform: .standardize_target without .regression, expected a target that is a number");
  }
  if (options.regression && target_.empty()) fail<ValueError>("TableTransform: .regression without a .target");
  if (!target_.empty()) training.find(target_);  // before what is wrong with other columns
  std::vector<std::string> columns = options.columns;
  if (columns.empty()) {
    for (const Table::Column& column : training.columns()) {
      if (column.name != target_ && column.type != ColumnType::text) columns.push_back(column.name);
    }
  }
  for (const std::string& name : columns) {
    if (name == target_)
      fail<ValueError>("TableTransform: column '{}' is the target, and among the features", printable(name));
    if (std::ranges::count(columns, name) > 1)
      fail<ValueError>("TableTransform: column '{}' twice among the features", printable(name));
    const Table::Storage& column = training.find(name);
    if (column.type == ColumnType::text) {
      fail<ValueError>("{}: column '{}' holds texts, which are no features; declare it as categories, or tokenize it",
                       training.name(), printable(name));
    }
    if (column.type == ColumnType::number) {
      Number number{.column = name, .scaling = options.scaling};
      if (const auto own = options.scalings.find(name); own != options.scalings.end()) number.scaling = own->second;
      std::vector<double> values = present(column.numbers);
      if (values.empty()) {
        fail<ValueError>("{}: column '{}' has no numbers in the {} training rows", training.name(), printable(name),
                         training.size());
      }
      number.indicator = options.missing_indicators && values.size() < column.numbers.size();
      std::ranges::sort(values);
      number.median = detail::quantile(values, 0.5);
      const Moments moments = moments_of(values);
      number.mean = moments.mean;
      number.deviation = moments.deviation;
      if (number.scaling == Scaling::quantile_uniform || number.scaling == Scaling::quantile_normal) {
        number.quantiles = detail::quantiles(values, std::min<std::int64_t>(options.quantiles, std::ssize(values)));
      }
      numbers_.push_back(std::move(number));
    } else {
      std::vector<std::int64_t> counts(column.words->size());
      std::int64_t missing = 0;
      for (const std::int32_t code : column.codes) ++(code < 0 ? missing : counts[static_cast<std::size_t>(code)]);
      Category category{.column = name};
      if (missing >= options.min_count) category.words.emplace_back();
      for (std::size_t code = 0; code < counts.size(); ++code) {
        if (counts[code] >= options.min_count) category.words.push_back((*column.words)[code]);
      }
      std::ranges::sort(category.words);
      categories_.push_back(std::move(category));
    }
  }
  for (const auto& [name, scaling] : options.scalings) {
    if (std::ranges::find(numbers_, name, &Number::column) == numbers_.end()) {
      fail<ValueError>("TableTransform: a scaling for '{}', which is no feature of numbers", printable(name));
    }
  }
  if (!target_.empty()) learn_target(training);
  if (options.standardize_target) {
    const Moments moments = moments_of(training.numbers(target_));
    target_mean_ = moments.mean;
    target_deviation_ = moments.deviation;
  }
  name_features();
}

void TableTransform::name_features() {
  features_.clear();
  for (const Number& number : numbers_) features_.push_back(number.column);
  for (const Number& number : numbers_) {
    if (number.indicator) features_.push_back(number.column + " is missing");
  }
  if (!one_hot_) return;
  for (const Category& category : categories_) {
    for (const std::string& word : category.words) features_.push_back(category.column + "=" + word);
  }
}

void TableTransform::learn_target(const Table& training) {
  const Table::Storage& column = training.find(target_);
  const auto wrong = [&]<class... Args>(std::int64_t row, fmt::format_string<Args...> text, Args&&... args) {
    fail<FileError>("{}:{}: target '{}': {}", training.name(), training.line(row), printable(target_),
                    fmt::format(text, std::forward<Args>(args)...));
  };
  if (column.type == ColumnType::number) {
    std::int64_t largest = 0;
    for (std::int64_t row = 0; row < training.size(); ++row) {
      const double value = column.numbers[static_cast<std::size_t>(row)];
      if (std::isnan(value)) wrong(row, "is missing");
      if (regression_) continue;
      if (!is_class(value)) wrong(row, "{} is a number, but none of a class{}", value, remedy);
      largest = std::max(largest, static_cast<std::int64_t>(value));
      // A price, a year: nobody has a thousand classes in fewer rows.
      if (value >= 1000 && value >= static_cast<double>(training.size())) {
        wrong(row, "{} would be a class of {} in {} rows{}", value, largest + 1, training.size(), remedy);
      }
    }
    if (!regression_) classes_ = largest + 1;
    return;
  }
  if (regression_)
    fail<ValueError>("{}: target '{}' holds words, .regression needs numbers", training.name(), printable(target_));
  if (column.type == ColumnType::text) {
    fail<ValueError>(
        "{}: target '{}' holds texts, expected a class in each row; declare the column as categories if they are",
        training.name(), printable(target_));
  }
  std::vector<bool> used(column.words->size());
  for (std::int64_t row = 0; row < training.size(); ++row) {
    const std::int32_t code = column.codes[static_cast<std::size_t>(row)];
    if (code < 0) wrong(row, "is missing");
    used[static_cast<std::size_t>(code)] = true;
  }
  for (std::size_t code = 0; code < used.size(); ++code) {
    if (used[code]) class_names_.push_back((*column.words)[code]);
  }
  std::ranges::sort(class_names_);
  classes_ = std::ssize(class_names_);
}

std::vector<float> TableTransform::scaled(const Number& number, const Table& table) const {
  const std::span<const double> values = table.numbers(number.column);
  std::vector<float> result;
  result.reserve(values.size());
  for (std::size_t row = 0; row < values.size(); ++row) {
    double x = std::isnan(values[row]) ? number.median : values[row];
    switch (number.scaling) {
      case Scaling::none: break;
      case Scaling::standard: x = (x - number.mean) / number.deviation; break;
      case Scaling::quantile_uniform: x = detail::rank_among(number.quantiles, x); break;
      case Scaling::quantile_normal: x = detail::normal_quantile(detail::rank_among(number.quantiles, x)); break;
    }
    const auto small = static_cast<float>(x);
    if (!std::isfinite(small)) {
      fail<FileError>("{}:{}: column '{}': {} becomes {}, which is more than f32 holds", table.name(),
                      table.line(static_cast<std::int64_t>(row)), printable(number.column), values[row], x);
    }
    result.push_back(small);
  }
  return result;
}

std::vector<std::int64_t> TableTransform::indices(const Category& category, const Table& table) const {
  const Table::Storage& column = table.find(category.column);
  if (column.type == ColumnType::number) {
    fail<ValueError>(
        "{}: column '{}' holds numbers, the training rows had categories; TableTransform::read reads it as such",
        table.name(), printable(category.column));
  }
  const auto index_of = [&](std::string_view word) -> std::int64_t {
    const auto found = std::ranges::lower_bound(category.words, word, std::less<std::string_view>());
    return found != category.words.end() && *found == word ? 1 + (found - category.words.begin()) : 0;
  };
  std::vector<std::int64_t> known;
  for (const std::string& word : *column.words) known.push_back(index_of(temper::detail::trimmed(word)));
  const std::int64_t missing = index_of({});
  std::vector<std::int64_t> result;
  result.reserve(column.codes.size());
  for (const std::int32_t code : column.codes)
    result.push_back(code < 0 ? missing : known[static_cast<std::size_t>(code)]);
  return result;
}

Tensor TableTransform::target_of(const Table& table) const {
  const Table::Storage& column = table.find(target_);
  const bool words = !class_names_.empty();
  if (words == (column.type == ColumnType::number)) {
    fail<ValueError>("{}: target '{}' holds {}, the training rows had {}; TableTransform::read reads it as such",
                     table.name(), printable(target_), words ? "numbers" : "words", words ? "words" : "numbers");
  }
  const auto wrong = [&](std::int64_t row, std::string_view what) {
    fail<FileError>("{}:{}: target '{}': {}", table.name(), table.line(row), printable(target_), what);
  };
  Tensor target = empty({table.size()}, regression_ ? Dtype::f32 : Dtype::i64);
  for (std::int64_t row = 0; row < table.size(); ++row) {
    const auto at = static_cast<std::size_t>(row);
    if (words) {
      const std::int32_t code = column.codes[at];
      if (code < 0) wrong(row, "is missing");
      const std::string_view word = temper::detail::trimmed((*column.words)[static_cast<std::size_t>(code)]);
      const auto found = std::ranges::lower_bound(class_names_, word, std::less<std::string_view>());
      if (found == class_names_.end() || *found != word) {
        wrong(row, fmt::format("'{}' is none of the {} classes", printable(word), classes_));
      }
      target.mutable_data<std::int64_t>()[at] = found - class_names_.begin();
      continue;
    }
    const double value = column.numbers[at];
    if (std::isnan(value)) wrong(row, "is missing");
    if (regression_) {
      const auto small = static_cast<float>((value - target_mean_) / target_deviation_);
      if (!std::isfinite(small)) wrong(row, fmt::format("{} is more than f32 holds", value));
      target.mutable_data<float>()[at] = small;
    } else {
      if (!is_class(value) || value >= static_cast<double>(classes_)) {
        wrong(row, fmt::format("{} is none of the {} classes", value, classes_));
      }
      target.mutable_data<std::int64_t>()[at] = static_cast<std::int64_t>(value);
    }
  }
  return target;
}

TableTensors TableTransform::operator()(const Table& table) const {
  const std::int64_t rows = table.size();
  TableTensors result;
  result.numbers = zeros({rows, std::ssize(features_)});
  float* const numbers = result.numbers.mutable_data<float>();
  const auto width = features_.size();
  std::size_t feature = 0;
  for (const Number& number : numbers_) {
    const std::vector<float> values = scaled(number, table);
    for (std::size_t row = 0; row < values.size(); ++row) numbers[row * width + feature] = values[row];
    ++feature;
  }
  for (const Number& number : numbers_) {
    if (!number.indicator) continue;
    const std::span<const double> values = table.numbers(number.column);
    for (std::size_t row = 0; row < values.size(); ++row)
      numbers[row * width + feature] = std::isnan(values[row]) ? 1.0f : 0.0f;
    ++feature;
  }
  const std::size_t columns = one_hot_ ? 0 : categories_.size();
  result.categories = empty({rows, static_cast<std::int64_t>(columns)}, Dtype::i64);
  std::int64_t* const categories = result.categories.mutable_data<std::int64_t>();
  for (std::size_t which = 0; which < categories_.size(); ++which) {
    const std::vector<std::int64_t> values = indices(categories_[which], table);
    for (std::size_t row = 0; row < values.size(); ++row) {
      if (!one_hot_) {
        categories[row * columns + which] = values[row];
      } else if (values[row] > 0) {
        numbers[row * width + feature + static_cast<std::size_t>(values[row] - 1)] = 1.0f;
      }
    }
    if (one_hot_) feature += categories_[which].words.size();
  }
  if (!target_.empty() && table.has(target_)) result.target = target_of(table);
  return result;
}

Table TableTransform::read(const std::filesystem::path& path, const CsvTableOptions& options) const {
  TableOptions wanted{.delimiter = options.delimiter, .header = options.header};
  for (const Number& number : numbers_) wanted.types[number.column] = ColumnType::number;
  for (const Category& category : categories_) wanted.types[category.column] = ColumnType::category;
  if (!target_.empty()) wanted.types[target_] = class_names_.empty() ? ColumnType::number : ColumnType::category;
  for (const auto& [column, type] : wanted.types) wanted.columns.push_back(column);
  return Table::read(temper::detail::read_text(path, temper::detail::largest_csv), path.native(), wanted, target_);
}

std::vector<std::string> TableTransform::category_columns() const {
  std::vector<std::string> names;
  if (!one_hot_) std::ranges::transform(categories_, std::back_inserter(names), &Category::column);
  return names;
}

std::vector<std::int64_t> TableTransform::category_sizes() const {
  std::vector<std::int64_t> sizes;
  if (!one_hot_) {
    for (const Category& category : categories_) sizes.push_back(1 + std::ssize(category.words));
  }
  return sizes;
}

Tensor TableTransform::in_units(const Tensor& predictions) const {
  if (target_mean_ == 0 && target_deviation_ == 1) return predictions;
  if (predictions.dtype() != Dtype::f32)
    fail<ShapeError>("in_units: predictions are {}, expected f32", predictions.dtype());
  Tensor result = empty(predictions.shape());
  std::ranges::transform(predictions.values<float>(), result.mutable_data<float>(), [this](float x) {
    return static_cast<float>(static_cast<double>(x) * target_deviation_ + target_mean_);
  });
  return result;
}

}  // namespace temper::data
