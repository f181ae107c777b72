#include <temper/data/tensor_dataset.hpp>

#include <algorithm>

#include "framework/core/format_internal.hpp"
#include "framework/tensor/bytes_internal.hpp"

namespace temper::data::detail {

std::int64_t common_rows(std::span<const Tensor> fields) {
  for (const Tensor& field : fields) {
    if (field.rank() == 0) fail<ShapeError>("tensor data set: a field has shape [], expected a first axis of examples");
    if (field.size(0) != fields.front().size(0)) {
      fail<ShapeError>("tensor data set: fields {} and {} have different numbers of examples", fields.front().shape(),
                       field.shape());
    }
  }
  return fields.front().size(0);
}

Tensor row_of(const Tensor& field, std::int64_t index) {
  return field.rows(index, index + 1).view(field.shape().without_axis(0));
}

Tensor gather_rows(const Tensor& field, std::span<const std::int64_t> indices) {
  Tensor rows = empty(field.shape().resized(0, static_cast<std::int64_t>(indices.size())), field.dtype());
  const std::span<const std::byte> source = temper::detail::bytes_of(field);
  std::byte* target = temper::detail::mutable_bytes_of(rows).data();
  const std::size_t row = field.size(0) == 0 ? 0 : source.size() / static_cast<std::size_t>(field.size(0));
  for (const std::int64_t index : indices) {
    if (index < 0 || index >= field.size(0)) {
      fail<ShapeError>("tensor data set: example {} of {}", index, field.size(0));
    }
    target = std::ranges::copy(source.subspan(static_cast<std::size_t>(index) * row, row), target).out;
  }
  return rows;
}

}  // namespace temper::data::detail
