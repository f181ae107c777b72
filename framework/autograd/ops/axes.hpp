#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>

#include <temper/core/shape.hpp>

namespace temper {

/// A list of axes, stored inline: 1, or {0, -1}. Negative ones count from the end.
class Axes {
 public:
  Axes() = default;
  Axes(int axis) : Axes({axis}) {}
  /// Throws: ShapeError for more axes than a shape can have.
  Axes(std::initializer_list<int> axes) : Axes(std::span<const int>(axes.begin(), axes.size())) {}
  explicit Axes(std::span<const int> axes);
  explicit Axes(std::span<const std::int64_t> axes);

  int count() const { return count_; }
  int operator[](int i) const { return axes_[static_cast<std::size_t>(i)]; }
  const int* begin() const { return axes_.data(); }
  const int* end() const { return axes_.data() + count_; }

 private:
  std::array<int, Shape::max_rank> axes_{};
  int count_ = 0;
};

}  // namespace temper
