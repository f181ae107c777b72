#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>

#include <temper/tensor/tensor.hpp>

namespace temper::data {

namespace detail {

template <class T>
inline constexpr bool all_tensors = false;
template <class... T>
inline constexpr bool all_tensors<std::tuple<T...>> = (std::same_as<T, Tensor> && ...);
template <>
inline constexpr bool all_tensors<std::pair<Tensor, Tensor>> = true;
template <std::size_t N>
inline constexpr bool all_tensors<std::array<Tensor, N>> = true;

}  // namespace detail

/// What a data set gives: a std::array, std::tuple or std::pair of Tensors, such as {image, label}.
template <class T>
concept TensorTuple = detail::all_tensors<T> &&(std::tuple_size_v<T> > 0);

/// A pass over a data set. What is random about an example may depend on this and on its number alone, so that neither
/// workers nor a resumed run change it.
struct Epoch {
  std::uint64_t seed = 0;
  std::int64_t number = 1;  ///< counts from 1

  friend bool operator==(const Epoch&, const Epoch&) = default;
};

namespace detail {

template <class D>
concept Fixed = requires(const D& dataset, std::int64_t i) {
  { dataset.get(i) } -> TensorTuple;
};
template <class D>
concept Random = requires(const D& dataset, std::int64_t i, const Epoch& epoch) {
  { dataset.get(i, epoch) } -> TensorTuple;
};

}  // namespace detail

/// A collection of examples by number. `get(i)`, or `get(i, epoch)` where they are random, returns example i without a
/// batch axis; a batch is the same type with a leading batch axis on every field. Several threads may call a const data
/// set at once.
template <class D>
concept Dataset = requires(const D& dataset) {
  { dataset.size() } -> std::convertible_to<std::int64_t>;
}
&&(detail::Fixed<D> || detail::Random<D>);

namespace detail {

/// Says in a sentence which part of Dataset a type lacks. The classes that hold a data set ask here rather than by the
/// concept, of which compilers make a page.
template <class D>
struct RequireDataset {
  static_assert(
      requires(const D& dataset) { dataset.size(); }, "a data set needs a member `std::int64_t size() const`");
  static_assert(
      requires(const D& dataset, std::int64_t i) { dataset.get(i); } ||
          requires(const D& dataset, std::int64_t i, const Epoch& epoch) { dataset.get(i, epoch); },
      "a data set needs a member `get(std::int64_t i) const` or `get(std::int64_t i, const Epoch&) const`");
  static_assert(Dataset<D>,
                "get() of a data set must return a std::array, std::pair or std::tuple of Tensors, such as "
                "std::array<Tensor, 2>{image, label}, and size() an integer");
};

}  // namespace detail

/// Example i of either kind of data set.
template <Dataset D>
auto example(const D& dataset, std::int64_t i, const Epoch& epoch = {}) {
  if constexpr (detail::Random<D>) {
    return dataset.get(i, epoch);
  } else {
    return dataset.get(i);
  }
}

/// The fields of one example of D, and of a batch.
template <Dataset D>
using ExampleOf = decltype(example(std::declval<const D&>(), std::int64_t{0}));

/// A data set with a faster way to make a batch, or one that pads its examples: `batch(indices)`, or `batch(indices,
/// epoch)` where they are random, returns the examples of these numbers, stacked. The Loader uses it where it exists.
template <class D>
concept BatchedDataset = Dataset<D> &&(
    requires(const D& dataset, std::span<const std::int64_t> indices) {
      { dataset.batch(indices) } -> std::same_as<ExampleOf<D>>;
    } ||
    requires(const D& dataset, std::span<const std::int64_t> indices, const Epoch& epoch) {
      { dataset.batch(indices, epoch) } -> std::same_as<ExampleOf<D>>;
    });

}  // namespace temper::data
