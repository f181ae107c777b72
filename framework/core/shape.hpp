#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <span>
#include <string>

namespace temper {

/// The sizes of a tensor's axes, at most `max_rank` of them, stored inline: copying one allocates nothing.
class Shape {
 public:
  static constexpr int max_rank = 8;

  Shape() = default;
  /// Throws: ShapeError for a negative size, more than `max_rank` axes, or an element count past 2^63 - 1
  /// (sizes of 0 not counted).
  Shape(std::initializer_list<std::int64_t> sizes);
  explicit Shape(std::span<const std::int64_t> sizes);

  int rank() const { return rank_; }
  std::int64_t numel() const;

  /// Size of an axis; negative axes count from the end. Throws: ShapeError when there is no such axis.
  std::int64_t operator[](int axis) const { return sizes_[static_cast<std::size_t>(index(axis))]; }
  /// The axis as a number from 0 to rank - 1. Throws: ShapeError when there is no such axis.
  int index(int axis) const;

  const std::int64_t* begin() const { return sizes_.data(); }
  const std::int64_t* end() const { return sizes_.data() + rank_; }

  /// This shape with one axis inserted before `axis`, removed, or given another size.
  Shape with_axis(int axis, std::int64_t size) const;
  Shape without_axis(int axis) const;
  Shape resized(int axis, std::int64_t size) const;

  friend bool operator==(const Shape& a, const Shape& b);

 private:
  std::array<std::int64_t, max_rank> sizes_{};
  int rank_ = 0;
};

/// "[128, 28, 28, 1]"
std::string to_string(const Shape& shape);
std::ostream& operator<<(std::ostream& out, const Shape& shape);

/// The shape two operands broadcast to, by NumPy's rule: axes are aligned at the end, and a size of 1 stretches.
/// Throws: ShapeError naming `operation` and both shapes.
Shape broadcast_shapes(const char* operation, const Shape& a, const Shape& b);

}  // namespace temper
