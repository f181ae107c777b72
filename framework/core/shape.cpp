#include <temper/core/shape.hpp>

#include <algorithm>
#include <ostream>

#include "framework/core/format_internal.hpp"

namespace temper {

namespace {

std::string text_of(std::span<const std::int64_t> sizes) {
  std::string text = "[";
  for (const std::int64_t size : sizes) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(size);
  }
  return text + "]";
}

}  // namespace

Shape::Shape(std::initializer_list<std::int64_t> sizes)
    : Shape(std::span<const std::int64_t>(sizes.begin(), sizes.size())) {}

Shape::Shape(std::span<const std::int64_t> sizes) {
  if (sizes.size() > max_rank) {
    fail<ShapeError>("shape {} has {} axes, at most {} are supported", text_of(sizes), sizes.size(), max_rank);
  }
  // Sizes of 0 are skipped: without this, the product of some of an empty shape's axes could still overflow.
  std::int64_t count = 1;
  for (const std::int64_t size : sizes) {
    if (size < 0) fail<ShapeError>("shape {} has a negative size", text_of(sizes));
    if (size > 0 && __builtin_mul_overflow(count, size, &count)) {
      fail<ShapeError>("shape {} has more than 2^63 - 1 elements", text_of(sizes));
    }
  }
  std::copy(sizes.begin(), sizes.end(), sizes_.begin());
  rank_ = static_cast<int>(sizes.size());
}

std::int64_t Shape::numel() const {
  std::int64_t count = 1;
  for (int axis = 0; axis < rank_; ++axis) count *= sizes_[static_cast<std::size_t>(axis)];
  return count;
}

int Shape::index(int axis) const {
  if (axis < -rank_ || axis >= rank_) fail<ShapeError>("axis {} of shape {}, which has {} axes", axis, *this, rank_);
  return axis < 0 ? axis + rank_ : axis;
}

Shape Shape::with_axis(int axis, std::int64_t size) const {
  if (axis < 0) axis += rank_ + 1;
  if (axis < 0 || axis > rank_ || rank_ == max_rank)
    fail<ShapeError>("no room for an axis {} in shape {}", axis, *this);
  std::array<std::int64_t, max_rank> sizes = sizes_;
  std::copy_backward(sizes.begin() + axis, sizes.begin() + rank_, sizes.begin() + rank_ + 1);
  sizes[static_cast<std::size_t>(axis)] = size;
  return Shape(std::span<const std::int64_t>(sizes.data(), static_cast<std::size_t>(rank_) + 1));
}

Shape Shape::without_axis(int axis) const {
  const int removed = index(axis);
  Shape shape = *this;
  std::copy(sizes_.begin() + removed + 1, sizes_.begin() + rank_, shape.sizes_.begin() + removed);
  shape.sizes_[static_cast<std::size_t>(--shape.rank_)] = 0;
  return shape;
}

Shape Shape::resized(int axis, std::int64_t size) const {
  std::array<std::int64_t, max_rank> sizes = sizes_;
  sizes[static_cast<std::size_t>(index(axis))] = size;
  return Shape(std::span<const std::int64_t>(sizes.data(), static_cast<std::size_t>(rank_)));
}

bool operator==(const Shape& a, const Shape& b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

std::string to_string(const Shape& shape) { return text_of({shape.begin(), shape.end()}); }

std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << to_string(shape); }

Shape broadcast_shapes(const char* operation, const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  std::array<std::int64_t, Shape::max_rank> sizes{};
  for (int back = 1; back <= rank; ++back) {
    const std::int64_t sa = back <= a.rank() ? a[-back] : 1;
    const std::int64_t sb = back <= b.rank() ? b[-back] : 1;
    if (sa != sb && sa != 1 && sb != 1) {
      fail<ShapeError>("{}: shapes {} and {} do not broadcast: axis {} has sizes {} and {}", operation, a, b, -back, sa,
                       sb);
    }
    sizes[static_cast<std::size_t>(rank - back)] = sa == 1 ? sb : sa;
  }
  return Shape(std::span<const std::int64_t>(sizes.data(), static_cast<std::size_t>(rank)));
}

}  // namespace temper

fmt::appender fmt::formatter<temper::Shape>::format(const temper::Shape& shape, fmt::format_context& context) {
  return fmt::format_to(context.out(), "{}", temper::to_string(shape));
}
