#include <temper/autograd/ops/bitwise.hpp>

#include <algorithm>

#include <temper/autograd/ops/logical.hpp>

#include "framework/autograd/ops/integer_internal.hpp"
#include "framework/autograd/ops/ops_internal.hpp"

namespace temper {

using kernels::Integer;

namespace {

using Logical = Tensor (*)(const Tensor&, const Tensor&);

Tensor of_bits(const char* name, Integer op, Logical of_truth, const Tensor& a, const Tensor& b) {
  detail::require_defined(name, "a", a);
  if (a.dtype() != Dtype::boolean) return detail::integer(name, op, a, b);
  detail::require(name, "b", b, Dtype::boolean);
  return of_truth(a, b);
}

Tensor shifted(const char* name, Integer op, const Tensor& a, const Tensor& b) {
  detail::require(name, "a", a, Dtype::i64);
  detail::require(name, "b", b, Dtype::i64);
  const auto outside = [](std::int64_t places) { return places < 0 || places > 63; };
  if (const auto found = std::ranges::find_if(b.values<std::int64_t>(), outside);
      found != b.values<std::int64_t>().end()) {
    fail<ValueError>("{}: b {} has {}, expected 0 to 63", name, b.shape(), *found);
  }
  return detail::integer(name, op, a, b);
}

}  // namespace

Tensor bitwise_and(const Tensor& a, const Tensor& b) {
  return of_bits("bitwise_and", Integer::bit_and, logical_and, a, b);
}
Tensor bitwise_or(const Tensor& a, const Tensor& b) { return of_bits("bitwise_or", Integer::bit_or, logical_or, a, b); }
Tensor bitwise_xor(const Tensor& a, const Tensor& b) {
  return of_bits("bitwise_xor", Integer::bit_xor, logical_xor, a, b);
}

Tensor bitwise_not(const Tensor& x) {
  detail::require_defined("bitwise_not", "input", x);
  if (x.dtype() == Dtype::boolean) return logical_not(x);
  detail::require("bitwise_not", "input", x, Dtype::i64);
  return detail::integer("bitwise_not", Integer::bit_xor, x, -1);
}

Tensor bitwise_left_shift(const Tensor& a, const Tensor& b) {
  return shifted("bitwise_left_shift", Integer::shift_left, a, b);
}
Tensor bitwise_right_shift(const Tensor& a, const Tensor& b) {
  return shifted("bitwise_right_shift", Integer::shift_right, a, b);
}

}  // namespace temper
