#pragma once

// Dense row-major arrays of any scalar type, for the reference implementations, which are simple and slow.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

namespace temper::reference {

using Sizes = std::vector<std::int64_t>;

inline std::int64_t count(const Sizes& shape) {
  std::int64_t product = 1;
  for (const std::int64_t size : shape) product *= size;
  return product;
}

template <class T>
struct Array {
  Sizes shape;
  std::vector<T> values;

  explicit Array(Sizes its_shape = {}) : shape(std::move(its_shape)), values(static_cast<std::size_t>(count(shape))) {}

  int rank() const { return static_cast<int>(shape.size()); }
  std::int64_t size(int axis) const { return shape[static_cast<std::size_t>(axis < 0 ? axis + rank() : axis)]; }
  std::int64_t numel() const { return static_cast<std::int64_t>(values.size()); }

  T& operator[](std::int64_t i) { return values[static_cast<std::size_t>(i)]; }
  const T& operator[](std::int64_t i) const { return values[static_cast<std::size_t>(i)]; }

  /// The element that is broadcast to this index of a result: axes of size 1 are repeated, and the index may have more
  /// leading axes than the array.
  const T& at(const Sizes& index) const { return values[offset(index)]; }
  T& at(const Sizes& index) { return values[offset(index)]; }
  /// The element at this index, without broadcasting.
  template <class... Index>
  const T& operator()(Index... index) const {
    return values[exact_offset(index...)];
  }
  template <class... Index>
  T& operator()(Index... index) {
    return values[exact_offset(index...)];
  }

 private:
  std::size_t offset(const Sizes& index) const {
    std::int64_t result = 0;
    const std::size_t skipped = index.size() - shape.size();
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      result = result * shape[axis] + (shape[axis] == 1 ? 0 : index[axis + skipped]);
    }
    return static_cast<std::size_t>(result);
  }

  template <class... Index>
  std::size_t exact_offset(Index... index) const {
    std::int64_t result = 0;
    std::size_t axis = 0;
    ((result = result * shape[axis++] + index), ...);
    return static_cast<std::size_t>(result);
  }
};

template <class T>
using Arrays = std::vector<Array<T>>;

/// The attributes of a call, as the golden file has them.
using Attributes = nlohmann::json;

/// One number for both rows and columns, or one for each.
inline std::array<std::int64_t, 2> pair_of(const Attributes& value) {
  if (value.is_array()) return {value[0], value[1]};
  return {value, value};
}

/// Calls body(index) for every index of a shape, the last axis fastest.
template <class Body>
void for_each_index(const Sizes& shape, Body&& body) {
  const std::int64_t total = count(shape);
  Sizes index(shape.size(), 0);
  for (std::int64_t i = 0; i < total; ++i) {
    body(static_cast<const Sizes&>(index));
    for (std::size_t axis = shape.size(); axis-- > 0 && ++index[axis] == shape[axis];) index[axis] = 0;
  }
}

/// The axis as a number from 0 to rank - 1.
inline std::size_t axis_of(std::int64_t axis, std::size_t rank) {
  return static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis);
}

}  // namespace temper::reference
