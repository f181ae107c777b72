#include <temper/autograd/ops/sort.hpp>

#include <temper/autograd/ops/cast.hpp>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/kernels/scatter.hpp"
#include "framework/kernels/sort.hpp"

namespace temper {

namespace {

struct Order {
  int axis;
  std::int64_t k;
  bool descending;
};

/// The first k in order, unrecorded; values are undefined unless wanted.
Sorted ordered(const Tensor& x, const Order& order, bool values_wanted) {
  const detail::AxisView view = detail::view_of(x.shape(), order.axis);
  const Shape shape = x.shape().resized(order.axis, order.k);
  const Tensor numbers = x.dtype() == Dtype::bf16      ? detail::converted(x, Dtype::f32)
                         : x.dtype() == Dtype::boolean ? to(x, Dtype::i64)
                                                       : x;
  Tensor values, indices = empty(shape, Dtype::i64);
  if (values_wanted) values = empty(shape, numbers.dtype());
  const auto run = [&]<class T>() {
    T* const to = detail::mutable_data_or_null<T>(values);
    if (order.k == view.size) {
      kernels::sort(numbers.data<T>(), view.outer, view.size, view.inner, order.descending, to,
                    indices.mutable_data<std::int64_t>());
    } else {
      kernels::top(numbers.data<T>(), view.outer, view.size, view.inner, order.k, order.descending, to,
                   indices.mutable_data<std::int64_t>());
    }
  };
  if (numbers.dtype() == Dtype::i64) {
    run.template operator()<std::int64_t>();
    if (values_wanted) values = to(values, x.dtype());
  } else {
    run.template operator()<float>();
    if (values_wanted) values = detail::converted(values, x.dtype());
  }
  return {values, indices};
}

Sorted recorded(const char* name, const Tensor& x, const Order& order) {
  Sorted result = ordered(x, order, true);
  result.indices = record({"argsort", {{"axis", order.axis}, {"descending", order.descending}}}, result.indices, {x});
  result.values = record({name, {{"axis", order.axis}, {"descending", order.descending}}}, result.values, {x},
                         [view = detail::view_of(x.shape(), order.axis), k = order.k, shape = x.shape(),
                          places = save(result.indices)](const Tensor& dy, Gradients& gradients) {
                           Tensor dx = zeros(shape, dy.dtype());
                           detail::with_type(dy.dtype(), [&]<class T>() {
                             kernels::put_elements_at(dy.data<T>(), places->data<std::int64_t>(), view.outer, view.size,
                                                      k, view.inner, sizeof(T), dx.mutable_data<T>(), nullptr);
                           });
                           gradients.give(0, dx);
                         });
  return result;
}

}  // namespace

Sorted sort(const Tensor& x, int axis, bool descending) {
  detail::require_defined("sort", "input", x);
  const int along = detail::require_axis("sort", "input", x, axis);
  return recorded("sort", x, {along, x.size(along), descending});
}

Tensor argsort(const Tensor& x, int axis, bool descending) {
  detail::require_defined("argsort", "input", x);
  const int along = detail::require_axis("argsort", "input", x, axis);
  return record({"argsort", {{"axis", along}, {"descending", descending}}},
                ordered(x, {along, x.size(along), descending}, false).indices, {x});
}

Sorted topk(const Tensor& x, std::int64_t k, const TopKOptions& options) {
  detail::require_defined("topk", "input", x);
  const int along = detail::require_axis("topk", "input", x, options.axis);
  if (k < 0 || k > x.size(along)) {
    fail<ValueError>("topk: k {}, expected 0 to {}, the size of axis {} of input {}", k, x.size(along), options.axis,
                     x.shape());
  }
  return recorded("topk", x, {along, k, options.largest});
}

}  // namespace temper
