#include <temper/autograd/ops/arrange.hpp>

#include <algorithm>
#include <array>
#include <vector>

#include <temper/autograd/ops/index.hpp>
#include <temper/core/parallel.hpp>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/kernels/layout.hpp"
#include "framework/kernels/strided.hpp"
#include "framework/tensor/bytes_internal.hpp"

namespace temper {

using detail::bytes_of;
using detail::element_bytes;
using detail::mutable_bytes_of;
using detail::require_axis;
using detail::require_defined;
using kernels::Strided;

namespace {

/// Records the elements of x that `from` says, no two the same.
Tensor strided(const Operation& operation, const Tensor& x, const Strided& from, const Shape& shape) {
  Tensor y = empty(shape, x.dtype());
  kernels::copy_from_strided(bytes_of(x).data(), from, shape, element_bytes(x), mutable_bytes_of(y).data());
  return record(operation, y, {x}, [from, x = x.shape()](const Tensor& dy, Gradients& gradients) {
    Tensor dx = dy.numel() == x.numel() ? empty(x, dy.dtype()) : zeros(x, dy.dtype());
    kernels::copy_to_strided(bytes_of(dy).data(), dy.shape(), from, element_bytes(dy), mutable_bytes_of(dx).data());
    gradients.give(0, dx);
  });
}

std::int64_t& stride_along(Strided& layout, int axis) { return layout.strides[static_cast<std::size_t>(axis)]; }

Tensor triangle(const Tensor& x, std::int64_t diagonal, bool lower) {
  Tensor y = empty(x.shape(), x.dtype());
  const std::int64_t rows = x.size(-2), columns = x.size(-1);
  // Far enough, and no sum overflows.
  const std::int64_t near = std::clamp(diagonal, -rows - 1, columns + 1);
  kernels::triangle(bytes_of(x).data(), x.numel() / std::max<std::int64_t>(1, rows * columns), rows, columns, near,
                    lower, element_bytes(x), mutable_bytes_of(y).data());
  return y;
}

Tensor recorded_triangle(const char* name, const Tensor& x, std::int64_t diagonal, bool lower) {
  require_defined(name, "input", x);
  if (x.rank() < 2) fail<ShapeError>("{}: input {}, expected [..., rows, columns]", name, x.shape());
  return record({name, {{"diagonal", diagonal}}}, triangle(x, diagonal, lower), {x},
                [=](const Tensor& dy, Gradients& gradients) { gradients.give(0, triangle(dy, diagonal, lower)); });
}

/// x along an axis, from `first` on and then from its beginning.
Tensor rolled(const Tensor& x, int axis, std::int64_t first) {
  const detail::AxisView view = detail::view_of(x.shape(), axis);
  const std::int64_t bytes = view.inner * element_bytes(x), line = view.size * bytes;
  Tensor y = empty(x.shape(), x.dtype());
  const auto* const from = bytes_of(x).data();
  auto* const to = mutable_bytes_of(y).data();
  kernels::copy_blocks(from + first * bytes, line, to, line, (view.size - first) * bytes, view.outer);
  kernels::copy_blocks(from, line, to + (view.size - first) * bytes, line, first * bytes, view.outer);
  return y;
}

/// Places 0 to size - 1 of an axis, each `each` times and all of them `times` times.
Tensor repeated_places(std::int64_t size, std::int64_t each, std::int64_t times) {
  Tensor places = empty({size * each * times}, Dtype::i64);
  std::int64_t* to = places.mutable_data<std::int64_t>();
  for (std::int64_t i = 0; i < places.numel(); ++i) to[i] = i / each % size;
  return places;
}

void require_repeats(const char* name, std::int64_t repeats) {
  if (repeats < 0) fail<ValueError>("{}: {} repeats, expected at least 0", name, repeats);
}

}  // namespace

Tensor squeeze(const Tensor& x) {
  require_defined("squeeze", "input", x);
  std::array<std::int64_t, Shape::max_rank> sizes{};
  std::size_t rank = 0;
  for (const std::int64_t size : x.shape()) {
    if (size != 1) sizes[rank++] = size;
  }
  return detail::viewed("squeeze", x, Shape(std::span<const std::int64_t>(sizes.data(), rank)));
}

Tensor squeeze(const Tensor& x, int axis) {
  require_defined("squeeze", "input", x);
  const int along = require_axis("squeeze", "input", x, axis);
  if (x.size(along) != 1) {
    fail<ShapeError>("squeeze: axis {} of input {} has size {}, expected 1", axis, x.shape(), x.size(along));
  }
  return detail::viewed("squeeze", x, x.shape().without_axis(along));
}

Tensor unsqueeze(const Tensor& x, int axis) {
  require_defined("unsqueeze", "input", x);
  const int along = axis < 0 ? axis + x.rank() + 1 : axis;
  if (along < 0 || along > x.rank()) {
    fail<ShapeError>("unsqueeze: new axis {} for input {}, which has {} axes", axis, x.shape(), x.rank());
  }
  return detail::viewed("unsqueeze", x, x.shape().with_axis(along, 1));
}

Tensor slice(const Tensor& x, int axis, std::int64_t begin, std::int64_t end, std::int64_t step) {
  require_defined("slice", "input", x);
  const int along = require_axis("slice", "input", x, axis);
  if (step < 1) fail<ValueError>("slice: step {}, expected at least 1; flip() reverses", step);
  const std::int64_t size = x.size(along);
  const auto inside = [size](std::int64_t place) {
    return std::clamp<std::int64_t>(place < 0 ? place + size : place, 0, size);
  };
  const std::int64_t first = inside(begin), last = std::max(first, inside(end));
  Strided from = kernels::dense(x.shape());
  from.offset = first * stride_along(from, along);
  stride_along(from, along) *= step;
  return strided({"slice", {{"axis", along}, {"begin", first}, {"step", step}}}, x, from,
                 x.shape().resized(along, chunk_count(last - first, step)));
}

Tensor flip(const Tensor& x, const Axes& axes) {
  require_defined("flip", "input", x);
  Strided from = kernels::dense(x.shape());
  std::array<bool, Shape::max_rank> seen{};
  for (const int axis : axes) {
    const int along = require_axis("flip", "input", x, axis);
    if (std::exchange(seen[static_cast<std::size_t>(along)], true)) {
      fail<ShapeError>("flip: axis {} of input {} is given twice", axis, x.shape());
    }
    std::int64_t& stride = stride_along(from, along);
    from.offset += (x.size(along) - 1) * stride;
    stride = -stride;
  }
  return strided({"flip", {{"axes", axes}}}, x, from, x.shape());
}

Tensor roll(const Tensor& x, std::int64_t shift, int axis) {
  require_defined("roll", "input", x);
  const int along = require_axis("roll", "input", x, axis);
  const std::int64_t size = std::max<std::int64_t>(1, x.size(along)), moved = (shift % size + size) % size;
  const std::int64_t first = (size - moved) % size;
  return record(
      {"roll", {{"axis", along}, {"begin", first}}}, rolled(x, along, first), {x},
      [along, moved](const Tensor& dy, Gradients& gradients) { gradients.give(0, rolled(dy, along, moved)); });
}

Tensor tile(const Tensor& x, std::span<const std::int64_t> repeats) {
  require_defined("tile", "input", x);
  if (static_cast<int>(repeats.size()) != x.rank()) {
    fail<ShapeError>("tile: {} repeats for input {}, which has {} axes", repeats.size(), x.shape(), x.rank());
  }
  for (const std::int64_t times : repeats) require_repeats("tile", times);
  Tensor y = x;
  for (int axis = 0; axis < x.rank(); ++axis) {
    const std::int64_t times = repeats[static_cast<std::size_t>(axis)];
    if (times != 1) y = index_select(y, axis, repeated_places(x.size(axis), 1, times));
  }
  return y;
}

Tensor tile(const Tensor& x, std::initializer_list<std::int64_t> repeats) {
  return tile(x, std::span<const std::int64_t>(repeats.begin(), repeats.size()));
}

Tensor repeat_interleave(const Tensor& x, std::int64_t repeats, int axis) {
  require_defined("repeat_interleave", "input", x);
  const int along = require_axis("repeat_interleave", "input", x, axis);
  require_repeats("repeat_interleave", repeats);
  return index_select(x, along,
                      repeated_places(x.size(along), std::max<std::int64_t>(1, repeats), repeats > 0 ? 1 : 0));
}

Tensor tril(const Tensor& x, std::int64_t diagonal) { return recorded_triangle("tril", x, diagonal, true); }
Tensor triu(const Tensor& x, std::int64_t diagonal) { return recorded_triangle("triu", x, diagonal, false); }

Tensor diagonal(const Tensor& x, std::int64_t offset) {
  require_defined("diagonal", "input", x);
  if (x.rank() < 2) fail<ShapeError>("diagonal: input {}, expected [..., rows, columns]", x.shape());
  const std::int64_t rows = x.size(-2), columns = x.size(-1), near = std::clamp(offset, -rows, columns);
  const std::int64_t length =
      std::min(rows - std::max<std::int64_t>(0, -near), columns - std::max<std::int64_t>(0, near));
  Strided from = kernels::dense(x.shape());
  const int row = x.rank() - 2;
  from.offset = near >= 0 ? near : -near * columns;
  stride_along(from, row) = columns + 1;
  return strided("diagonal", x, from, x.shape().without_axis(-1).resized(-1, std::max<std::int64_t>(0, length)));
}

Tensor one_hot(const Tensor& labels, std::int64_t classes) {
  detail::require("one_hot", "labels", labels, Dtype::i64);
  if (classes < 0) fail<ValueError>("one_hot: {} classes, expected at least 0", classes);
  for (const std::int64_t label : labels.values<std::int64_t>()) {
    if (label < 0 || label >= classes) fail<ValueError>("one_hot: label {} is outside the {} classes", label, classes);
  }
  Tensor y = zeros(labels.shape().with_axis(-1, classes), Dtype::i64);
  std::int64_t* row = y.mutable_data<std::int64_t>();
  for (const std::int64_t label : labels.values<std::int64_t>()) {
    row[label] = 1;
    row += classes;
  }
  return record("one_hot", y, {labels});
}

Tensor arange(std::int64_t begin, std::int64_t end, std::int64_t step) {
  if (step == 0) fail<ValueError>("arange: step 0, expected another number");
  const std::int64_t count = step > 0 ? chunk_count(end - begin, step) : chunk_count(begin - end, -step);
  Tensor y = empty({count}, Dtype::i64);
  std::int64_t* const to = y.mutable_data<std::int64_t>();
  for (std::int64_t i = 0; i < count; ++i) to[i] = begin + i * step;
  return y;
}

Tensor linspace(double from, double to, std::int64_t count) {
  if (count < 0) fail<ValueError>("linspace: {} numbers, expected at least 0", count);
  Tensor y = empty({count});
  float* const values = y.mutable_data<float>();
  const double step = count > 1 ? (to - from) / static_cast<double>(count - 1) : 0.0;
  // From both ends, so that both are met.
  for (std::int64_t i = 0; i < count; ++i) {
    const double value =
        2 * i < count ? from + step * static_cast<double>(i) : to - step * static_cast<double>(count - 1 - i);
    values[i] = static_cast<float>(value);
  }
  return y;
}

Tensor eye(std::int64_t n, std::int64_t columns) {
  Tensor y = zeros({n, columns});
  float* const values = y.mutable_data<float>();
  for (std::int64_t i = 0; i < std::min(n, columns); ++i) values[i * columns + i] = 1.0f;
  return y;
}

Tensor eye(std::int64_t n) { return eye(n, n); }

}  // namespace temper
