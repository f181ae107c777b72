#include <temper/autograd/ops/compare.hpp>

#include <temper/autograd/ops/cast.hpp>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/kernels/elementwise.hpp"
#include "framework/kernels/integer.hpp"
#include "framework/tensor/bytes_internal.hpp"

namespace temper {

using kernels::Compare;

namespace {

template <class T>
void compare(Compare op, const Tensor& a, const Tensor& b, Tensor& y) {
  kernels::compare(op, a.data<T>(), a.shape(), b.data<T>(), b.shape(), y.mutable_data<bool>(), y.shape());
}

/// a op b, or b op a if `exchanged`; errors name a and b as the caller passed them.
Tensor compare(const char* name, Compare op, const Tensor& a, const Tensor& b, bool exchanged = false) {
  detail::require_defined(name, "a", a);
  detail::require(name, "b", b, a.dtype());
  if (a.dtype() == Dtype::boolean) return compare(name, op, to(a, Dtype::i64), to(b, Dtype::i64), exchanged);
  if (a.dtype() != Dtype::f32 && a.dtype() != Dtype::i64) {
    fail<ShapeError>("{}: a {} is {}, expected f32, i64 or bool", name, a.shape(), a.dtype());
  }
  Tensor y = empty(broadcast_shapes(name, a.shape(), b.shape()), Dtype::boolean);
  const Tensor &first = exchanged ? b : a, &second = exchanged ? a : b;
  if (a.dtype() == Dtype::f32) {
    compare<float>(op, first, second, y);
  } else {
    compare<std::int64_t>(op, first, second, y);
  }
  return record(name, y, {a, b});
}

Tensor choose(const Tensor& condition, const Tensor& a, const Tensor& b, const Shape& shape) {
  Tensor y = empty(shape, a.dtype());
  if (a.dtype() != Dtype::f32) {
    kernels::choose_elements(condition.data<bool>(), condition.shape(), detail::bytes_of(a).data(), a.shape(),
                             detail::bytes_of(b).data(), b.shape(), detail::element_bytes(a),
                             detail::mutable_bytes_of(y).data(), shape);
    return y;
  }
  kernels::choose(condition.data<bool>(), condition.shape(), a.data<float>(), a.shape(), b.data<float>(), b.shape(),
                  y.mutable_data<float>(), shape);
  return y;
}

}  // namespace

Tensor equal(const Tensor& a, const Tensor& b) { return compare("equal", Compare::equal, a, b); }
Tensor not_equal(const Tensor& a, const Tensor& b) { return compare("not_equal", Compare::not_equal, a, b); }
Tensor less(const Tensor& a, const Tensor& b) { return compare("less", Compare::less, a, b); }
Tensor less_equal(const Tensor& a, const Tensor& b) { return compare("less_equal", Compare::less_equal, a, b); }
Tensor greater(const Tensor& a, const Tensor& b) { return compare("greater", Compare::less, a, b, true); }
Tensor greater_equal(const Tensor& a, const Tensor& b) {
  return compare("greater_equal", Compare::less_equal, a, b, true);
}

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  detail::require("where", "condition", condition, Dtype::boolean);
  detail::require_defined("where", "a", a);
  detail::require("where", "b", b, a.dtype());
  const Shape shape = broadcast_shapes("where", condition.shape(), broadcast_shapes("where", a.shape(), b.shape()));
  return record({"where", {{"condition", condition}}}, choose(condition, a, b, shape), {a, b},
                differentiable([condition = save(condition)](const Tensor& dy, Gradients& gradients) {
                  const Tensor zero = zeros({}, dy.dtype());
                  if (gradients.wants(0)) detail::give_reduced(gradients, 0, where(condition, dy, zero));
                  if (gradients.wants(1)) detail::give_reduced(gradients, 1, where(condition, zero, dy));
                }));
}

}  // namespace temper
