#pragma once

#include <array>
#include <cstdint>
#include <span>

#include <temper/data/dataset.hpp>

namespace temper::data {

namespace detail {

/// The size that the first axes of all fields have in common.
std::int64_t common_rows(std::span<const Tensor> fields);
/// Row `index` of the first axis, without that axis, sharing memory.
Tensor row_of(const Tensor& field, std::int64_t index);
/// A new tensor of these rows.
Tensor gather_rows(const Tensor& field, std::span<const std::int64_t> indices);

}  // namespace detail

/// Examples that are in memory as tensors: TensorDataset(images [n, ...], labels [n]). Example i is row i of each.
template <std::size_t N>
class TensorDataset {
 public:
  /// Throws: ShapeError when the first axes differ or there is none.
  template <std::same_as<Tensor>... T>
  explicit TensorDataset(T... fields) : fields_{std::move(fields)...}, size_(detail::common_rows(fields_)) {}

  std::int64_t size() const { return size_; }
  /// Throws: ShapeError for an example that is not there.
  std::array<Tensor, N> get(std::int64_t i) const {
    std::array<Tensor, N> example;
    for (std::size_t f = 0; f < N; ++f) example[f] = detail::row_of(fields_[f], i);
    return example;
  }
  std::array<Tensor, N> batch(std::span<const std::int64_t> indices) const {
    std::array<Tensor, N> rows;
    for (std::size_t f = 0; f < N; ++f) rows[f] = detail::gather_rows(fields_[f], indices);
    return rows;
  }

 private:
  std::array<Tensor, N> fields_;
  std::int64_t size_;
};

template <std::same_as<Tensor>... T>
TensorDataset(T...) -> TensorDataset<sizeof...(T)>;

}  // namespace temper::data
