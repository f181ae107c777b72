#include <temper/autograd/ops/cast.hpp>

#include <algorithm>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/kernels/integer.hpp"

namespace temper {

namespace {

bool is_float(Dtype dtype) { return dtype == Dtype::f32 || dtype == Dtype::bf16; }

template <class X, class Y>
Tensor cast_to(const Tensor& x) {
  Tensor y = empty(x.shape(), dtype_of<Y>);
  kernels::cast(x.data<X>(), y.mutable_data<Y>(), x.numel());
  return y;
}

/// Throws unless each number, its fraction cut off, is an i64.
void require_whole(const Tensor& x) {
  const auto outside = [](float value) { return !(value >= -0x1p63f && value < 0x1p63f); };
  const auto found = std::ranges::find_if(x.values<float>(), outside);
  if (found != x.values<float>().end()) fail<ValueError>("to: input {} has {}, which is no i64", x.shape(), *found);
}

}  // namespace

Tensor to(const Tensor& x, Dtype dtype) {
  detail::require_defined("to", "input", x);
  if (x.dtype() == dtype) return x;
  if (is_float(x.dtype()) && is_float(dtype)) {
    return record("to", detail::converted(x, dtype), {x}, differentiable([](const Tensor& dy, Gradients& gradients) {
                    gradients.give(0, to(dy, Dtype::f32));  // accepted for a tensor of either dtype
                  }));
  }
  if (is_float(x.dtype())) {
    if (recording({x})) {
      fail<TapeError>("to: a gradient is to flow through input {}, which {} cuts; say stop_gradient(input)", x.shape(),
                      dtype);
    }
    const Tensor numbers = detail::converted(x, Dtype::f32);
    if (dtype == Dtype::boolean) return record("to", cast_to<float, bool>(numbers), {x});
    require_whole(numbers);
    return record("to", cast_to<float, std::int64_t>(numbers), {x});
  }
  if (dtype == Dtype::i64) return record("to", cast_to<bool, std::int64_t>(x), {x});
  if (dtype == Dtype::boolean) return record("to", cast_to<std::int64_t, bool>(x), {x});
  const Tensor y = x.dtype() == Dtype::i64 ? cast_to<std::int64_t, float>(x) : cast_to<bool, float>(x);
  return record("to", detail::converted(y, dtype), {x});
}

}  // namespace temper
