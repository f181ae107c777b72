#include "framework/autograd/ops/integer_internal.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <temper/autograd/ops/divide.hpp>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/kernels/elementwise.hpp"

namespace temper {

using kernels::Integer;

namespace {

/// What an operation of i64 is called where its name is not that of another function.
const char* name_of(Integer op) {
  constexpr const char* names[] = {"add",
                                   "sub",
                                   "mul",
                                   "maximum",
                                   "minimum",
                                   "bitwise_and",
                                   "bitwise_or",
                                   "bitwise_xor",
                                   "bitwise_left_shift",
                                   "bitwise_right_shift",
                                   "floor_divide",
                                   "truncate_divide",
                                   "remainder",
                                   "fmod"};
  return names[static_cast<std::size_t>(op)];
}

bool divides(Integer op) {
  return op == Integer::floor_divide || op == Integer::truncate_divide || op == Integer::remainder ||
         op == Integer::fmod;
}

std::int64_t whole(const char* name, double number) {
  // Above 2^53 not every whole number is a double.
  if (std::trunc(number) != number || std::abs(number) > 0x1p53) {
    fail<ValueError>("{}: {} beside i64, expected a whole number up to 2^53", name, number);
  }
  return static_cast<std::int64_t>(number);
}

Tensor constant(std::int64_t number) {
  Tensor y = empty({}, Dtype::i64);
  *y.mutable_data<std::int64_t>() = number;
  return y;
}

}  // namespace

Tensor detail::integer(const char* name, Integer op, const Tensor& a, const Tensor& b) {
  require(name, "a", a, Dtype::i64);
  require(name, "b", b, Dtype::i64);
  const Shape shape = broadcast_shapes(name, a.shape(), b.shape());
  if (divides(op) && shape.numel() > 0 &&
      std::ranges::find(b.values<std::int64_t>(), 0) != b.values<std::int64_t>().end()) {
    fail<ValueError>("{}: b {} has a 0, by which no whole number can be divided", name, b.shape());
  }
  Tensor y = empty(shape, Dtype::i64);
  kernels::integer(op, a.data<std::int64_t>(), a.shape(), b.data<std::int64_t>(), b.shape(),
                   y.mutable_data<std::int64_t>(), shape);
  return record(name_of(op), y, {a, b});
}

Tensor detail::integer(const char* name, Integer op, const Tensor& x, std::int64_t number) {
  return integer(name, op, x, constant(number));
}

Tensor detail::integer_affine(const char* name, const Tensor& x, double factor, double shift) {
  const std::int64_t slope = whole(name, factor), offset = whole(name, shift);
  const Tensor y = slope == 1 ? x : integer(name, Integer::mul, x, slope);
  return integer(name, Integer::add, y, offset);
}

Tensor detail::integer_clamp(const Tensor& x, float low, float high) {
  using Limits = std::numeric_limits<std::int64_t>;
  const auto bound = [](double number) {
    return number >= 0x1p63 ? Limits::max() : number < -0x1p63 ? Limits::min() : static_cast<std::int64_t>(number);
  };
  const Tensor raised = integer("clamp", Integer::maximum, x, bound(std::ceil(static_cast<double>(low))));
  return integer("clamp", Integer::minimum, raised, bound(std::floor(static_cast<double>(high))));
}

namespace {

Tensor quotient(const char* name, Integer op, const Tensor& a, const Tensor& b) {
  detail::require_defined(name, "a", a);
  if (a.dtype() == Dtype::i64) return detail::integer(name, op, a, b);
  detail::require(name, "a", a);
  detail::require(name, "b", b);
  Tensor y = empty(broadcast_shapes(name, a.shape(), b.shape()));
  kernels::quotient(op, a.data<float>(), a.shape(), b.data<float>(), b.shape(), y.mutable_data<float>(), y.shape());
  return y;
}

/// Records what is left of a after the whole multiples of b that `whole` counts.
Tensor rest(const char* name, Integer op, Integer whole, const Tensor& a, const Tensor& b) {
  Tensor y = quotient(name, op, a, b);  // first, since it checks a and b
  return record(name, std::move(y), {a, b},
                [whole, a = save(a, {1}), b = save(b, {1})](const Tensor& dy, Gradients& gradients) {
                  if (gradients.wants(0)) detail::give_reduced(gradients, 0, dy);
                  if (!gradients.wants(1)) return;
                  Tensor slope = quotient("quotient", whole, a, b);
                  float* const values = slope.mutable_data<float>();
                  kernels::affine(values, -1.0f, 0.0f, values, slope.numel());
                  kernels::binary(kernels::Binary::mul, values, slope.shape(), dy.data<float>(), dy.shape(), values,
                                  slope.shape());
                  detail::give_reduced(gradients, 1, slope);
                });
}

}  // namespace

Tensor div(const Tensor& a, const Tensor& b, RoundingMode rounding) {
  const Integer op = rounding == RoundingMode::floor ? Integer::floor_divide : Integer::truncate_divide;
  Tensor y = quotient("div", op, a, b);
  return record({"div", {{"rounding", rounding}}}, std::move(y), {a, b},
                [a = a.shape(), b = b.shape()](const Tensor&, Gradients& gradients) {
                  if (gradients.wants(0)) gradients.give(0, zeros(a));
                  if (gradients.wants(1)) gradients.give(1, zeros(b));
                });
}

Tensor remainder(const Tensor& a, const Tensor& b) {
  return rest("remainder", Integer::remainder, Integer::floor_divide, a, b);
}

Tensor fmod(const Tensor& a, const Tensor& b) { return rest("fmod", Integer::fmod, Integer::truncate_divide, a, b); }

}  // namespace temper
