#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include <temper/data/dataset.hpp>

namespace temper::data {

namespace detail {

/// Throws: ValueError for a number below 0 or not below `size`.
void check_indices(std::span<const std::int64_t> indices, std::int64_t size, const char* what);
/// Throws: ValueError for an example that is not there.
std::size_t checked_index(std::int64_t i, std::int64_t size, const char* what);

/// For each of the shares the numbers of its examples, in rising order. With `labels`, each share gets its part of
/// every class.
std::vector<std::vector<std::int64_t>> split_indices(std::int64_t size, std::span<const double> shares,
                                                     std::span<const std::int64_t> labels, std::uint64_t seed);
/// Train and test of each round.
std::vector<std::pair<std::vector<std::int64_t>, std::vector<std::int64_t>>> fold_indices(
    std::int64_t size, int k, std::span<const std::int64_t> labels, std::uint64_t seed);
void check_labels(std::size_t labels, std::int64_t size);

/// Sums of the first weights, of which a draw is one of the gaps.
std::vector<double> running_sums(std::span<const double> weights, std::int64_t size);
void check_draws(std::int64_t size);
std::int64_t weighted_draw(std::span<const double> sums, const Epoch& epoch, std::int64_t i);

}  // namespace detail

/// Some of a data set's examples, by their numbers, in any order and any number of times.
template <Dataset D>
class Subset {
 public:
  /// Throws: ValueError for a number that the data set does not have.
  Subset(D dataset, std::vector<std::int64_t> indices) : dataset_(std::move(dataset)), indices_(std::move(indices)) {
    detail::check_indices(indices_, dataset_.size(), "Subset");
  }

  std::int64_t size() const { return static_cast<std::int64_t>(indices_.size()); }
  /// Throws: ValueError for an example that is not there; as the data set.
  ExampleOf<D> get(std::int64_t i, const Epoch& epoch = {}) const {
    return example(dataset_, indices_[detail::checked_index(i, size(), "Subset")], epoch);
  }
  ExampleOf<D> batch(std::span<const std::int64_t> numbers, const Epoch& epoch = {}) const requires BatchedDataset<D> {
    std::vector<std::int64_t> inner;
    inner.reserve(numbers.size());
    for (const std::int64_t i : numbers) inner.push_back(indices_[detail::checked_index(i, size(), "Subset")]);
    if constexpr (requires { dataset_.batch(inner, epoch); }) {
      return dataset_.batch(inner, epoch);
    } else {
      return dataset_.batch(inner);
    }
  }

  /// The whole data set.
  const D& dataset() const { return dataset_; }
  /// The numbers that its examples have in the data set.
  const std::vector<std::int64_t>& indices() const { return indices_; }

 private:
  D dataset_;
  std::vector<std::int64_t> indices_;
};

/// Data sets of equal fields, one after the other. Each makes its own examples; a batch may hold those of several.
template <Dataset D, Dataset... More>
requires(std::same_as<ExampleOf<D>, ExampleOf<More>>&&...) class Concat {
 public:
  /// In the order given.
  explicit Concat(D first, More... more) : datasets_(std::move(first), std::move(more)...) {}

  /// Examples of all of them.
  std::int64_t size() const {
    return std::apply([](const auto&... dataset) { return (std::int64_t{dataset.size()} + ...); }, datasets_);
  }
  /// Throws: ValueError for an example that is not there; as the data sets.
  ExampleOf<D> get(std::int64_t i, const Epoch& epoch = {}) const {
    detail::checked_index(i, size(), "Concat");
    return find<0>(i, epoch);
  }

 private:
  template <std::size_t which>
  ExampleOf<D> find(std::int64_t i, const Epoch& epoch) const {
    const auto& dataset = std::get<which>(datasets_);
    if constexpr (which < sizeof...(More)) {
      if (i >= dataset.size()) return find<which + 1>(i - dataset.size(), epoch);
    }
    return example(dataset, i, epoch);
  }

  std::tuple<D, More...> datasets_;
};

/// Cuts a data set into parts at random, the same for the same seed. The shares must sum to 1; a part has its share of
/// the examples but for rounding:
///
///     auto [train, validation, test] = data::random_split(table, {0.8, 0.1, 0.1}, 1);
///
/// Throws: ValueError for shares that are negative or do not sum to 1.
template <Dataset D, std::size_t N>
std::array<Subset<D>, N> random_split(const D& dataset, const double (&shares)[N], std::uint64_t seed) {
  auto parts = detail::split_indices(dataset.size(), shares, {}, seed);
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    return std::array<Subset<D>, N>{Subset<D>(dataset, std::move(parts[I]))...};
  }
  (std::make_index_sequence<N>());
}

/// The same with the classes of the examples (`CsvDataset::labels().values<std::int64_t>()`): every part has its share
/// of each class, to one example. Throws: ValueError also when there are not as many labels as examples.
template <Dataset D, std::size_t N>
std::array<Subset<D>, N> stratified_split(const D& dataset, std::span<const std::int64_t> labels,
                                          const double (&shares)[N], std::uint64_t seed) {
  detail::check_labels(labels.size(), dataset.size());
  auto parts = detail::split_indices(dataset.size(), shares, labels, seed);
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    return std::array<Subset<D>, N>{Subset<D>(dataset, std::move(parts[I]))...};
  }
  (std::make_index_sequence<N>());
}

/// The numbers of the examples of each part, in rising order, as random_split draws them, or with `labels`
/// stratified_split: for the rows of a Table. Throws: as they.
template <std::size_t N>
std::array<std::vector<std::int64_t>, N> random_indices(std::int64_t size, const double (&shares)[N],
                                                        std::uint64_t seed, std::span<const std::int64_t> labels = {}) {
  auto parts = detail::split_indices(size, shares, labels, seed);
  std::array<std::vector<std::int64_t>, N> indices;
  for (std::size_t i = 0; i < N; ++i) indices[i] = std::move(parts[i]);
  return indices;
}

/// One round of a cross-validation.
template <Dataset D>
struct Fold {
  Subset<D> train, test;
};

/// k rounds: each example is held out in exactly one. With `labels`, stratified.
/// Throws: ValueError for k below 2 or above the number of examples.
template <Dataset D>
std::vector<Fold<D>> k_fold(const D& dataset, int k, std::uint64_t seed, std::span<const std::int64_t> labels = {}) {
  std::vector<Fold<D>> folds;
  for (auto& [train, test] : detail::fold_indices(dataset.size(), k, labels, seed)) {
    folds.push_back({Subset<D>(dataset, std::move(train)), Subset<D>(dataset, std::move(test))});
  }
  return folds;
}

/// Examples drawn again and again, each as often as its weight says: `size` draws an epoch, by default as many as there
/// are examples. Draw i of an epoch is a function of the epoch's seed and number and of i, so it need not be shuffled.
template <Dataset D>
class Weighted {
 public:
  /// Throws: ValueError for weights that are negative, not finite, all zero, or not as many as examples; a size
  /// below 1.
  Weighted(D dataset, std::span<const double> weights, std::int64_t size = 0)
      : dataset_(std::move(dataset)),
        sums_(detail::running_sums(weights, dataset_.size())),
        size_(size == 0 ? dataset_.size() : size) {
    detail::check_draws(size_);
  }

  std::int64_t size() const { return size_; }
  /// Throws: ValueError for a draw that is not there; as the data set.
  ExampleOf<D> get(std::int64_t i, const Epoch& epoch) const {
    // Another seed inside, so that data sets in one another do not draw the same numbers.
    return example(dataset_, index_of_draw(i, epoch), {.seed = ~epoch.seed, .number = epoch.number});
  }
  ExampleOf<D> batch(std::span<const std::int64_t> numbers, const Epoch& epoch) const requires BatchedDataset<D> {
    std::vector<std::int64_t> inner;
    inner.reserve(numbers.size());
    for (const std::int64_t i : numbers) inner.push_back(index_of_draw(i, epoch));
    const Epoch other{.seed = ~epoch.seed, .number = epoch.number};
    if constexpr (requires { dataset_.batch(inner, other); }) {
      return dataset_.batch(inner, other);
    } else {
      return dataset_.batch(inner);
    }
  }

  /// Which example draw i of an epoch is.
  std::int64_t index_of_draw(std::int64_t i, const Epoch& epoch) const {
    detail::checked_index(i, size_, "Weighted");
    return detail::weighted_draw(sums_, epoch, i);
  }
  const D& dataset() const { return dataset_; }

 private:
  D dataset_;
  std::vector<double> sums_;
  std::int64_t size_;
};

/// Weights with which every class is drawn equally often.
std::vector<double> balanced_weights(std::span<const std::int64_t> labels);

}  // namespace temper::data
