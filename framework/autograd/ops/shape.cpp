#include <temper/autograd/ops/shape.hpp>

#include <temper/autograd/ops/index.hpp>

#include <fmt/ranges.h>

#include <array>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/kernels/elementwise.hpp"
#include "framework/kernels/layout.hpp"
#include "framework/tensor/bytes_internal.hpp"

namespace temper {

using detail::bytes_of;
using detail::mutable_bytes_of;
using detail::require;
using detail::require_axis;
using detail::require_defined;

namespace {

template <class T>
std::span<const T> as_span(std::initializer_list<T> list) {
  return {list.begin(), list.size()};
}

void require_all_defined(const char* name, std::span<const Tensor> tensors) {
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (!tensors[i].defined()) fail<ValueError>("{}: input {} is an undefined tensor", name, i);
  }
}

Tensor permuted(const Tensor& x, const Axes& order) {
  Shape shape = x.shape();
  for (int i = 0; i < order.count(); ++i) shape = shape.resized(i, x.size(order[i]));
  Tensor y = empty(shape, x.dtype());
  kernels::permute(bytes_of(x).data(), x.shape(), {order.begin(), order.end()}, size_of(x.dtype()),
                   mutable_bytes_of(y).data());
  return y;
}

/// Elements begin to end of an axis as a copy.
Tensor copy_slice(const Tensor& x, int axis, std::int64_t begin, std::int64_t end) {
  Tensor y = empty(x.shape().resized(axis, end - begin), x.dtype());
  const detail::AxisView view = detail::view_of(x.shape(), axis);
  const std::int64_t bytes = view.inner * static_cast<std::int64_t>(size_of(x.dtype()));
  kernels::copy_blocks(bytes_of(x).data() + begin * bytes, view.size * bytes, mutable_bytes_of(y).data(),
                       (end - begin) * bytes, (end - begin) * bytes, view.outer);
  return y;
}

/// The gradient of a part that was written in: elements begin to end of an axis of dy.
Tensor part(const Tensor& dy, int axis, std::int64_t begin, std::int64_t end) {
  return recording() ? slice(dy, axis, begin, end) : copy_slice(dy, axis, begin, end);
}

/// Writes all of x to the places from `begin` on along an axis of y.
void write_slice(const Tensor& x, int axis, std::int64_t begin, Tensor& y) {
  const detail::AxisView view = detail::view_of(x.shape(), axis);
  const std::int64_t bytes = view.inner * static_cast<std::int64_t>(size_of(x.dtype()));
  kernels::copy_blocks(bytes_of(x).data(), view.size * bytes, mutable_bytes_of(y).data() + begin * bytes,
                       y.size(axis) * bytes, view.size * bytes, view.outer);
}

Tensor pad_axis(const Tensor& x, int axis, Padding padding, float value) {
  const std::int64_t size = x.size(axis);
  Tensor y = detail::converted(full(x.shape().resized(axis, padding.before + size + padding.after), value), x.dtype());
  write_slice(x, axis, padding.before, y);
  return record({"pad", {{"axis", axis}, {"before", padding.before}, {"after", padding.after}, {"value", value}}}, y,
                {x}, differentiable([axis, size, padding](const Tensor& dy, Gradients& gradients) {
                  gradients.give(0, part(dy, axis, padding.before, padding.before + size));
                }));
}

}  // namespace

Tensor detail::viewed(const char* name, const Tensor& x, const Shape& shape) {
  return record(
      {name, {{"view", true}}}, alias(x, shape), {x},
      differentiable([x = x.shape()](const Tensor& dy, Gradients& gradients) { gradients.give(0, dy.view(x)); }));
}

Tensor detail::sliced(const char* name, const Tensor& x, int axis, std::int64_t first, Tensor y) {
  return record({name, {{"axis", axis}, {"begin", first}, {"step", 1}}}, std::move(y), {x},
                differentiable([axis, first, x = x.shape()](const Tensor& dy, Gradients& gradients) {
                  if (recording()) {
                    return gradients.give(0, pad_axis(dy, axis, {first, x[axis] - first - dy.size(axis)}, 0.0f));
                  }
                  Gradients::Target dx = gradients.into(0);
                  const AxisView view = view_of(x, axis);
                  const std::int64_t block = dy.size(axis) * view.inner;
                  with_types(dy.dtype(), dx.tensor, [&]<class T, class G>() {
                    G* target = dx.tensor.mutable_data<G>();
                    if (!dx.accumulate) std::fill_n(target, dx.tensor.numel(), G{});
                    kernels::add_blocks(dy.data<T>(), block, target + first * view.inner, view.size * view.inner, block,
                                        view.outer);
                  });
                }));
}

Tensor reshape(const Tensor& x, const Shape& shape) {
  require_defined("reshape", "input", x);
  if (shape.numel() != x.numel()) {
    fail<ShapeError>("reshape: input {} has {} elements, shape {} has {}", x.shape(), x.numel(), shape, shape.numel());
  }
  return detail::viewed("reshape", x, shape);
}

Tensor reshape(const Tensor& x, std::initializer_list<std::int64_t> sizes) {
  return reshape(x, std::span<const std::int64_t>(sizes.begin(), sizes.size()));
}

Tensor reshape(const Tensor& x, std::span<const std::int64_t> sizes) {
  require_defined("reshape", "input", x);
  std::array<std::int64_t, Shape::max_rank> known{};
  std::int64_t product = 1;
  int open = -1, axis = 0;
  for (const std::int64_t size : sizes) {
    if (axis == Shape::max_rank) break;
    if (size == -1 && open < 0) {
      open = axis;
    } else {
      product *= size;
    }
    known[static_cast<std::size_t>(axis++)] = size;
  }
  if (open < 0 || static_cast<int>(sizes.size()) != axis) return reshape(x, Shape(sizes));
  if (product <= 0 || x.numel() % product != 0) {
    fail<ShapeError>("reshape: the {} elements of input {} do not fit [{}]", x.numel(), x.shape(),
                     fmt::join(sizes, ", "));
  }
  known[static_cast<std::size_t>(open)] = x.numel() / product;
  return reshape(x, Shape(std::span<const std::int64_t>(known.data(), sizes.size())));
}

Tensor flatten(const Tensor& x, int from_axis) {
  require_defined("flatten", "input", x);
  const int first = require_axis("flatten", "input", x, from_axis);
  std::int64_t size = 1;
  for (int axis = first; axis < x.rank(); ++axis) size *= x.size(axis);
  return detail::viewed(
      "flatten", x,
      Shape(std::span<const std::int64_t>(x.shape().begin(), static_cast<std::size_t>(first))).with_axis(first, size));
}

Tensor flatten_chw(const Tensor& x) {
  detail::require_float("flatten_chw", "input", x);
  if (x.rank() != 4) fail<ShapeError>("flatten_chw: input {}, expected images [N, H, W, C]", x.shape());
  const std::int64_t n = x.size(0), places = x.size(1) * x.size(2), channels = x.size(3);
  const Axes swapped = {0, 2, 1};
  const Tensor y = detail::alias(permuted(detail::alias(x, {n, places, channels}), swapped), {n, channels * places});
  return record("flatten_chw", y, {x},
                differentiable([n, places, channels, swapped, x = x.shape()](const Tensor& dy, Gradients& gradients) {
                  gradients.give(0, permute(dy.view({n, channels, places}), swapped).view(x));
                }));
}

Tensor permute(const Tensor& x, const Axes& axes) {
  require_defined("permute", "input", x);
  if (axes.count() != x.rank()) {
    fail<ShapeError>("permute: {} axes for input {}, which has {}", axes.count(), x.shape(), x.rank());
  }
  std::array<int, Shape::max_rank> order{}, inverse{};
  std::array<bool, Shape::max_rank> seen{};
  for (int i = 0; i < axes.count(); ++i) {
    const auto axis = static_cast<std::size_t>(require_axis("permute", "input", x, axes[i]));
    if (seen[axis]) fail<ShapeError>("permute: axis {} of input {} is given twice", axes[i], x.shape());
    seen[axis] = true;
    order[static_cast<std::size_t>(i)] = static_cast<int>(axis);
    inverse[axis] = i;
  }
  const auto rank = static_cast<std::size_t>(x.rank());
  const Axes places(std::span<const int>(order.data(), rank));
  return record(
      {"permute", {{"axes", places}}}, permuted(x, places), {x},
      differentiable([inverse = Axes(std::span<const int>(inverse.data(), rank))](
                         const Tensor& dy, Gradients& gradients) { gradients.give(0, permute(dy, inverse)); }));
}

Tensor transpose(const Tensor& x, int axis_a, int axis_b) {
  require_defined("transpose", "input", x);
  const int a = require_axis("transpose", "input", x, axis_a), b = require_axis("transpose", "input", x, axis_b);
  std::array<int, Shape::max_rank> order{};
  for (int i = 0; i < x.rank(); ++i) order[static_cast<std::size_t>(i)] = i == a ? b : i == b ? a : i;
  const Axes axes(std::span<const int>(order.data(), static_cast<std::size_t>(x.rank())));
  return record(
      {"transpose", {{"axes", axes}}}, permuted(x, axes), {x},
      differentiable([axes](const Tensor& dy, Gradients& gradients) { gradients.give(0, permute(dy, axes)); }));
}

Tensor slice(const Tensor& x, int axis, std::int64_t begin, std::int64_t end) {
  require_defined("slice", "input", x);
  const int along = require_axis("slice", "input", x, axis);
  const std::int64_t size = x.size(along);
  const std::int64_t first = begin < 0 ? begin + size : begin, last = end < 0 ? end + size : end;
  if (first < 0 || last < first || last > size) {
    fail<ShapeError>("slice: {} to {} of axis {} of input {}", begin, end, axis, x.shape());
  }
  return detail::sliced("slice", x, along, first,
                        along == 0 ? detail::alias_rows(x, first, last) : copy_slice(x, along, first, last));
}

Tensor concat(std::span<const Tensor> tensors, int axis) {
  if (tensors.empty()) fail<ValueError>("concat: no tensors");
  require_all_defined("concat", tensors);
  const Tensor& first = tensors.front();
  const int along = require_axis("concat", "tensor", first, axis);
  std::int64_t size = 0;
  for (const Tensor& tensor : tensors) {
    if (tensor.dtype() != first.dtype() || tensor.rank() != first.rank() ||
        !(tensor.shape().resized(along, 0) == first.shape().resized(along, 0))) {
      fail<ShapeError>("concat: {} {} after {} {}, expected the same but for axis {}", tensor.dtype(), tensor.shape(),
                       first.dtype(), first.shape(), axis);
    }
    size += tensor.size(along);
  }
  Tensor y = empty(first.shape().resized(along, size), first.dtype());
  // The sizes are in a tensor, whose memory comes from the pool; a vector would allocate at every step.
  Tensor sizes = empty({static_cast<std::int64_t>(tensors.size())}, Dtype::i64);
  std::int64_t* next_size = sizes.mutable_data<std::int64_t>();
  std::int64_t begin = 0;
  for (const Tensor& tensor : tensors) {
    write_slice(tensor, along, begin, y);
    begin += * next_size++ = tensor.size(along);
  }
  return record({"concat", {{"axis", along}}}, y, tensors,
                differentiable([along, sizes](const Tensor& dy, Gradients& gradients) {
                  std::int64_t at = 0;
                  int input = 0;
                  for (const std::int64_t each : sizes.values<std::int64_t>()) {
                    if (gradients.wants(input)) gradients.give(input, part(dy, along, at, at + each));
                    at += each;
                    ++input;
                  }
                }));
}

Tensor concat(std::initializer_list<Tensor> tensors, int axis) { return concat(as_span(tensors), axis); }

Tensor stack(std::span<const Tensor> tensors, int axis) {
  if (tensors.empty()) fail<ValueError>("stack: no tensors");
  require_all_defined("stack", tensors);
  const Shape& shape = tensors.front().shape();
  const int along = axis < 0 ? axis + shape.rank() + 1 : axis;
  if (along < 0 || along > shape.rank()) {
    fail<ShapeError>("stack: new axis {} for tensors {}, which have {} axes", axis, shape, shape.rank());
  }
  for (const Tensor& tensor : tensors) {
    if (!(tensor.shape() == shape) || tensor.dtype() != tensors.front().dtype()) {
      fail<ShapeError>("stack: {} {} after {} {}, expected the same", tensor.dtype(), tensor.shape(),
                       tensors.front().dtype(), shape);
    }
  }
  const auto count = static_cast<std::int64_t>(tensors.size());
  Tensor y = empty(shape.with_axis(along, count), tensors.front().dtype());
  for (std::int64_t i = 0; i < count; ++i) {
    write_slice(detail::alias(tensors[static_cast<std::size_t>(i)], shape.with_axis(along, 1)), along, i, y);
  }
  return record({"stack", {{"axis", along}}}, y, tensors,
                differentiable([along, count, shape](const Tensor& dy, Gradients& gradients) {
                  for (std::int64_t i = 0; i < count; ++i) {
                    const int input = static_cast<int>(i);
                    if (gradients.wants(input)) gradients.give(input, part(dy, along, i, i + 1).view(shape));
                  }
                }));
}

Tensor stack(std::initializer_list<Tensor> tensors, int axis) { return stack(as_span(tensors), axis); }

std::vector<Tensor> split(const Tensor& x, std::int64_t size, int axis) {
  require_defined("split", "input", x);
  const int along = require_axis("split", "input", x, axis);
  if (size < 1) fail<ValueError>("split: parts of size {}, expected at least 1", size);
  std::vector<Tensor> parts;
  parts.reserve(static_cast<std::size_t>((x.size(along) + size - 1) / size));
  for (std::int64_t begin = 0; begin < x.size(along); begin += size) {
    parts.push_back(slice(x, along, begin, std::min(begin + size, x.size(along))));
  }
  return parts;
}

Tensor expand(const Tensor& x, const Shape& shape) {
  detail::require_float("expand", "input", x);
  if (!(broadcast_shapes("expand", x.shape(), shape) == shape)) {
    fail<ShapeError>("expand: input {} does not broadcast to {}", x.shape(), shape);
  }
  Tensor y = empty(shape, x.dtype());
  detail::with_type(x.dtype(),
                    [&]<class T>() { kernels::expand(x.data<T>(), x.shape(), 1.0f, y.mutable_data<T>(), shape); });
  return record("expand", y, {x},
                differentiable([](const Tensor& dy, Gradients& gradients) { detail::give_reduced(gradients, 0, dy); }));
}

Tensor pad(const Tensor& x, std::span<const Padding> padding, float value) {
  detail::require_float("pad", "input", x);
  if (static_cast<int>(padding.size()) != x.rank()) {
    fail<ShapeError>("pad: {} paddings for input {}, which has {} axes", padding.size(), x.shape(), x.rank());
  }
  for (const Padding& ends : padding) {
    if (ends.before < 0 || ends.after < 0) fail<ValueError>("pad: negative padding {}, {}", ends.before, ends.after);
  }
  Tensor y = x;
  for (int axis = 0; axis < x.rank(); ++axis) {
    const Padding ends = padding[static_cast<std::size_t>(axis)];
    if (ends.before > 0 || ends.after > 0) y = pad_axis(y, axis, ends, value);
  }
  return y;
}

Tensor pad(const Tensor& x, std::initializer_list<Padding> padding, float value) {
  return pad(x, as_span(padding), value);
}

Tensor gather(const Tensor& x, int axis, const Tensor& index) {
  require_defined("gather", "input", x);
  require("gather", "index", index, Dtype::i64);
  const int along = require_axis("gather", "input", x, axis);
  if (index.rank() != x.rank() || !(index.shape().resized(along, 0) == x.shape().resized(along, 0))) {
    fail<ShapeError>("gather: input {} and index {}, expected the same but for axis {}", x.shape(), index.shape(),
                     axis);
  }
  const detail::AxisView view = detail::view_of(x.shape(), along);
  for (const std::int64_t i : index.values<std::int64_t>()) {
    if (i < 0 || i >= view.size)
      fail<ValueError>("gather: index {} is outside axis {} of input {}", i, axis, x.shape());
  }
  const std::int64_t m = index.size(along);
  Tensor y = empty(index.shape(), x.dtype());
  const auto take = [&]<class T>() {
    kernels::gather(x.data<T>(), index.data<std::int64_t>(), view.outer, view.size, m, view.inner, y.mutable_data<T>());
  };
  switch (x.dtype()) {
    case Dtype::i64: take.template operator()<std::int64_t>(); break;
    case Dtype::boolean: take.template operator()<bool>(); break;
    default: detail::with_type(x.dtype(), take);
  }
  return record({"gather", {{"axis", along}, {"index", index}}}, y, {x},
                differentiable([along, view, m, index = save(index)](const Tensor& dy, Gradients& gradients) {
                  if (recording()) {
                    const Tensor nothing = zeros(index->shape().resized(along, view.size), dy.dtype());
                    return gradients.give(0, scatter_add(nothing, along, index, dy));
                  }
                  detail::SummedGradient dx(gradients, 0);  // indices may repeat
                  detail::with_type(dy.dtype(), [&]<class T>() {
                    kernels::gather_backward(dy.data<T>(), index->data<std::int64_t>(), view.outer, view.size, m,
                                             view.inner, dx.data());
                  });
                  dx.close();
                }));
}

}  // namespace temper
