#include <temper/autograd/ops/logical.hpp>

#include <algorithm>
#include <cmath>

#include <temper/autograd/ops/cast.hpp>
#include <temper/autograd/ops/compare.hpp>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/autograd/ops/reduce_internal.hpp"
#include "framework/kernels/integer.hpp"
#include "framework/tensor/bytes_internal.hpp"

namespace temper {

using kernels::Logical;

namespace {

Tensor logical(const char* name, Logical op, const Tensor& a, const Tensor& b) {
  detail::require(name, "a", a, Dtype::boolean);
  detail::require(name, "b", b, Dtype::boolean);
  Tensor y = empty(broadcast_shapes(name, a.shape(), b.shape()), Dtype::boolean);
  kernels::logical(op, a.data<bool>(), a.shape(), b.data<bool>(), b.shape(), y.mutable_data<bool>(), y.shape());
  return record(name, y, {a, b});
}

/// One element.
Tensor element(const Tensor& like, double value) {
  Tensor y = empty({}, like.dtype());
  switch (like.dtype()) {
    case Dtype::f32: *y.mutable_data<float>() = static_cast<float>(value); break;
    case Dtype::bf16: return detail::converted(scalar(static_cast<float>(value)), Dtype::bf16);
    case Dtype::i64: *y.mutable_data<std::int64_t>() = static_cast<std::int64_t>(value); break;
    case Dtype::boolean: *y.mutable_data<bool>() = value != 0.0; break;
  }
  return y;
}

/// mask ? a : b
Tensor choose(const Tensor& mask, const Tensor& a, const Tensor& b, const Shape& shape) {
  Tensor y = empty(shape, a.dtype());
  kernels::choose_elements(mask.data<bool>(), mask.shape(), detail::bytes_of(a).data(), a.shape(),
                           detail::bytes_of(b).data(), b.shape(), detail::element_bytes(a),
                           detail::mutable_bytes_of(y).data(), shape);
  return y;
}

/// f(x) of each number.
template <class F>
Tensor test_each(const char* name, const Tensor& x, F f) {
  detail::require_float(name, "input", x);
  const Tensor numbers = detail::converted(x, Dtype::f32);
  Tensor y = empty(x.shape(), Dtype::boolean);
  std::ranges::transform(numbers.values<float>(), y.mutable_data<bool>(), f);
  return record(name, y, {x});
}

/// How many are not 0; `name` speaks of what is counted.
Tensor count_nonzero_along(const char* name, const Tensor& x, const Axes& axes, ReduceOptions options) {
  static_cast<void>(detail::reduced(name, x, axes));  // the errors of sum, with this name
  return sum(to(to(stop_gradient(x), Dtype::boolean), Dtype::i64), axes, options);
}

}  // namespace

Tensor logical_and(const Tensor& a, const Tensor& b) { return logical("logical_and", Logical::conjunction, a, b); }
Tensor logical_or(const Tensor& a, const Tensor& b) { return logical("logical_or", Logical::disjunction, a, b); }
Tensor logical_xor(const Tensor& a, const Tensor& b) { return logical("logical_xor", Logical::exclusive, a, b); }

Tensor logical_not(const Tensor& x) {
  detail::require("logical_not", "input", x, Dtype::boolean);
  return logical("logical_not", Logical::exclusive, x, element(x, 1.0));
}

Tensor any(const Tensor& x, const Axes& axes, ReduceOptions options) {
  detail::require("any", "input", x, Dtype::boolean);
  return to(count_nonzero_along("any", x, axes, options), Dtype::boolean);
}

Tensor all(const Tensor& x, const Axes& axes, ReduceOptions options) {
  detail::require("all", "input", x, Dtype::boolean);
  return logical_not(to(count_nonzero_along("all", logical_not(x), axes, options), Dtype::boolean));
}

Tensor count_nonzero(const Tensor& x, const Axes& axes, ReduceOptions options) {
  detail::require_defined("count_nonzero", "input", x);
  return count_nonzero_along("count_nonzero", x, axes, options);
}

Tensor isnan(const Tensor& x) {
  return test_each("isnan", x, [](float value) { return std::isnan(value); });
}
Tensor isinf(const Tensor& x) {
  return test_each("isinf", x, [](float value) { return std::isinf(value); });
}
Tensor isfinite(const Tensor& x) {
  return test_each("isfinite", x, [](float value) { return std::isfinite(value); });
}

Tensor masked_fill(const Tensor& x, const Tensor& mask, double value) {
  detail::require_defined("masked_fill", "input", x);
  detail::require("masked_fill", "mask", mask, Dtype::boolean);
  const Shape shape = broadcast_shapes("masked_fill", x.shape(), mask.shape());
  if (x.dtype() == Dtype::i64 && (std::trunc(value) != value || std::abs(value) > 0x1p53)) {
    fail<ValueError>("masked_fill: value {} beside i64, expected a whole number up to 2^53", value);
  }
  return record({"masked_fill", {{"mask", mask}, {"value", value}}}, choose(mask, element(x, value), x, shape), {x},
                [mask = save(mask)](const Tensor& dy, Gradients& gradients) {
                  detail::give_reduced(gradients, 0, choose(mask, element(dy, 0.0), dy, dy.shape()));
                });
}

}  // namespace temper
