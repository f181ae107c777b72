#include <temper/autograd/ops/index.hpp>
#include <temper/autograd/ops/shape.hpp>

#include <algorithm>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/kernels/elementwise.hpp"
#include "framework/kernels/layout.hpp"
#include "framework/kernels/scatter.hpp"
#include "framework/tensor/bytes_internal.hpp"

namespace temper {

using detail::AxisView;
using detail::bytes_of;
using detail::mutable_bytes_of;
using detail::require;
using detail::require_axis;
using detail::require_defined;

namespace {

void require_places(const char* name, const Tensor& x, int axis, const Tensor& index) {
  const std::int64_t size = x.size(axis);
  std::int64_t place = 0;
  for (const std::int64_t i : index.values<std::int64_t>()) {
    if (i < 0 || i >= size) {
      fail<ValueError>("{}: index {} at place {} is outside axis {} of input {}", name, i, place, axis, x.shape());
    }
    ++place;
  }
}

/// Checks x and an index [m], and returns the axis from 0 on.
int checked_list(const char* name, const Tensor& x, int axis, const Tensor& index) {
  require_defined(name, "input", x);
  require(name, "index", index, Dtype::i64);
  const int along = require_axis(name, "input", x, axis);
  if (index.rank() != 1) fail<ShapeError>("{}: index {}, expected [m]", name, index.shape());
  require_places(name, x, along, index);
  return along;
}

/// Checks x and an index for each element, and returns the axis from 0 on.
int checked_elements(const char* name, const Tensor& x, int axis, const Tensor& index, const Tensor& source) {
  require_defined(name, "input", x);
  require(name, "index", index, Dtype::i64);
  require(name, "source", source, x.dtype());
  const int along = require_axis(name, "input", x, axis);
  if (index.rank() != x.rank() || !(index.shape().resized(along, 0) == x.shape().resized(along, 0)) ||
      !(source.shape() == index.shape())) {
    fail<ShapeError>("{}: input {}, index {} and source {}, expected the same but for axis {} of the input", name,
                     x.shape(), index.shape(), source.shape(), axis);
  }
  require_places(name, x, along, index);
  return along;
}

void require_sums(const char* name, const Tensor& x) {
  if (x.dtype() == Dtype::boolean) fail<ShapeError>("{}: input {} is bool, expected a number", name, x.shape());
}

Tensor taken(const Tensor& x, int axis, const Tensor& index) {
  const AxisView view = detail::view_of(x.shape(), axis);
  Tensor y = empty(x.shape().resized(axis, index.numel()), x.dtype());
  kernels::take_blocks(bytes_of(x).data(), index.data<std::int64_t>(), view.outer, view.size, index.numel(),
                       view.inner * detail::element_bytes(x), mutable_bytes_of(y).data());
  return y;
}

/// A copy of x that add(target) adds to: bf16 is summed in f32.
template <class Add>
Tensor added(const Tensor& x, Add add) {
  if (x.dtype() == Dtype::i64) {
    Tensor y = detail::copy(x);
    add.template operator()<std::int64_t>(y.mutable_data<std::int64_t>());
    return y;
  }
  Tensor sums = x.dtype() == Dtype::f32 ? detail::copy(x) : detail::converted(x, Dtype::f32);
  detail::with_type(x.dtype(), [&]<class T>() { add.template operator()<T>(sums.mutable_data<float>()); });
  return detail::converted(sums, x.dtype());
}

/// The elements of x at the places, as gather gives them.
Tensor gathered(const Tensor& x, int axis, const Tensor& index) {
  const AxisView view = detail::view_of(x.shape(), axis);
  Tensor y = empty(index.shape(), x.dtype());
  detail::with_type(x.dtype(), [&]<class T>() {
    kernels::gather(x.data<T>(), index.data<std::int64_t>(), view.outer, view.size, index.size(axis), view.inner,
                    y.mutable_data<T>());
  });
  return y;
}

}  // namespace

Tensor index_select(const Tensor& x, int axis, const Tensor& index) {
  const int along = checked_list("index_select", x, axis, index);
  return record({"index_select", {{"axis", along}, {"index", index}}}, taken(x, along, index), {x},
                differentiable([along, view = detail::view_of(x.shape(), along), index = save(index)](
                                   const Tensor& dy, Gradients& gradients) {
                  if (recording()) {
                    const Tensor nothing = zeros(dy.shape().resized(along, view.size), dy.dtype());
                    return gradients.give(0, index_add(nothing, along, index, dy));
                  }
                  detail::SummedGradient dx(gradients, 0);  // places may repeat
                  detail::with_type(dy.dtype(), [&]<class T>() {
                    kernels::add_blocks_at(dy.data<T>(), index->data<std::int64_t>(), nullptr, view.outer, view.size,
                                           index->numel(), view.inner, dx.data());
                  });
                  dx.close();
                }));
}

Tensor index_add(const Tensor& x, int axis, const Tensor& index, const Tensor& source) {
  constexpr const char* name = "index_add";
  const int along = checked_list(name, x, axis, index);
  require(name, "source", source, x.dtype());
  require_sums(name, x);
  if (!(source.shape() == x.shape().resized(along, index.numel()))) {
    fail<ShapeError>("{}: source {}, input {} and index {} expect {}", name, source.shape(), x.shape(), index.shape(),
                     x.shape().resized(along, index.numel()));
  }
  const AxisView view = detail::view_of(x.shape(), along);
  const Tensor y = added(x, [&]<class T>(auto* sums) {
    kernels::add_blocks_at(source.data<T>(), index.data<std::int64_t>(), nullptr, view.outer, view.size, index.numel(),
                           view.inner, sums);
  });
  return record(name, y, {x, source},
                differentiable([along, index = save(index, {1})](const Tensor& dy, Gradients& gradients) {
                  if (gradients.wants(0)) gradients.give(0, dy);
                  if (gradients.wants(1))
                    gradients.give(1, recording() ? index_select(dy, along, index) : taken(dy, along, index));
                }));
}

Tensor scatter(const Tensor& x, int axis, const Tensor& index, const Tensor& source) {
  constexpr const char* name = "scatter";
  const int along = checked_elements(name, x, axis, index, source);
  const AxisView view = detail::view_of(x.shape(), along);
  const auto put = [view, m = index.size(along)](const void* from, const Tensor& places, Tensor& y,
                                                 std::int64_t* writer) {
    kernels::put_elements_at(from, places.data<std::int64_t>(), view.outer, view.size, m, view.inner,
                             detail::element_bytes(y), mutable_bytes_of(y).data(), writer);
  };
  Tensor y = detail::copy(x);
  put(bytes_of(source).data(), index, y, nullptr);
  return record({name, {{"axis", along}, {"index", index}}}, y, {x, source},
                [along, view, put, index = save(index)](const Tensor& dy, Gradients& gradients) {
                  if (gradients.wants(0)) {
                    Tensor dx = detail::copy(dy);
                    put(bytes_of(zeros(index->shape(), dy.dtype())).data(), index, dx, nullptr);
                    gradients.give(0, dx);
                  }
                  if (!gradients.wants(1)) return;
                  Tensor writer = empty(dy.shape(), Dtype::i64), places = zeros(dy.shape(), dy.dtype());
                  put(bytes_of(zeros(index->shape(), dy.dtype())).data(), index, places,
                      writer.mutable_data<std::int64_t>());
                  Tensor dsource = gathered(dy, along, index);
                  const std::int64_t* const to = index->data<std::int64_t>();
                  const std::int64_t m = index->size(along), *const last = writer.data<std::int64_t>();
                  detail::with_type(dy.dtype(), [&]<class T>() {
                    T* const slopes = dsource.mutable_data<T>();
                    for (std::int64_t i = 0; i < dsource.numel(); ++i) {
                      const std::int64_t block = i / (m * view.inner), j = i / view.inner % m;
                      if (last[(block * view.size + to[i]) * view.inner + i % view.inner] != j) slopes[i] = T{};
                    }
                  });
                  gradients.give(1, dsource);
                });
}

Tensor scatter_add(const Tensor& x, int axis, const Tensor& index, const Tensor& source) {
  constexpr const char* name = "scatter_add";
  const int along = checked_elements(name, x, axis, index, source);
  require_sums(name, x);
  const AxisView view = detail::view_of(x.shape(), along);
  const Tensor y = added(x, [&]<class T>(auto* sums) {
    kernels::add_elements_at(source.data<T>(), index.data<std::int64_t>(), view.outer, view.size, index.size(along),
                             view.inner, sums);
  });
  return record({name, {{"axis", along}, {"index", index}}}, y, {x, source},
                differentiable([along, index = save(index, {1})](const Tensor& dy, Gradients& gradients) {
                  if (gradients.wants(0)) gradients.give(0, dy);
                  if (gradients.wants(1))
                    gradients.give(1, recording() ? gather(dy, along, index) : gathered(dy, along, index));
                }));
}

namespace {

/// How many elements of x are not 0, and visit(i) for each.
template <class Visit>
void for_nonzero(const Tensor& x, Visit visit) {
  const auto each = [&](auto values, auto is_zero) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!is_zero(values[i])) visit(static_cast<std::int64_t>(i));
    }
  };
  const auto zero = [](auto value) { return value == 0; };
  switch (x.dtype()) {
    case Dtype::f32: return each(x.values<float>(), [](float value) { return value == 0.0f; });
    case Dtype::bf16: return each(x.values<BFloat16>(), [](BFloat16 value) { return (value.bits & 0x7fff) == 0; });
    case Dtype::i64: return each(x.values<std::int64_t>(), zero);
    case Dtype::boolean: return each(x.values<bool>(), [](bool value) { return !value; });
  }
}

}  // namespace

Tensor nonzero(const Tensor& x) {
  require_defined("nonzero", "input", x);
  std::int64_t count = 0;
  for_nonzero(x, [&](std::int64_t) { ++count; });
  Tensor y = empty({count, x.rank()}, Dtype::i64);
  std::int64_t* to = y.mutable_data<std::int64_t>();
  for_nonzero(x, [&](std::int64_t i) {
    for (int axis = x.rank(); axis-- > 0; i /= x.size(axis)) to[axis] = i % x.size(axis);
    to += x.rank();
  });
  return record("nonzero", y, {x});
}

Tensor masked_select(const Tensor& x, const Tensor& mask) {
  require_defined("masked_select", "input", x);
  require("masked_select", "mask", mask, Dtype::boolean);
  if (!(mask.shape() == x.shape())) {
    fail<ShapeError>("masked_select: input {} and mask {}, expected the same shape", x.shape(), mask.shape());
  }
  const Tensor places = nonzero(detail::alias(mask, {mask.numel()}));
  return index_select(detail::viewed("masked_select", x, {x.numel()}), 0, detail::alias(places, {places.size(0)}));
}

}  // namespace temper
