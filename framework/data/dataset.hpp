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

/// A collection of examples by number. `get(i)` returns example i without a batch axis; a batch is the same type with
/// a leading batch axis on every field. Several threads may call a const data set at once.
template <class D>
concept Dataset = requires(const D& dataset, std::int64_t i) {
  { dataset.size() } -> std::convertible_to<std::int64_t>;
  { dataset.get(i) } -> TensorTuple;
};

/// The fields of one example of D, and of a batch.
template <Dataset D>
using ExampleOf = decltype(std::declval<const D&>().get(std::int64_t{0}));

/// A data set with a faster way to make a batch: `batch(indices)` returns the examples of these numbers, stacked. The
/// Loader uses it where it exists.
template <class D>
concept BatchedDataset = Dataset<D> && requires(const D& dataset, std::span<const std::int64_t> indices) {
  { dataset.batch(indices) } -> std::same_as<ExampleOf<D>>;
};

}  // namespace temper::data
