#pragma once

// What the operations share: checks, and gradients of operands that were broadcast.

#include <temper/autograd/tape.hpp>

#include "framework/core/format_internal.hpp"

namespace temper::detail {

/// Throws unless x is defined and of the dtype: ValueError and ShapeError with the names of operation and argument.
void require(const char* operation, const char* argument, const Tensor& x, Dtype dtype = Dtype::f32);
/// Throws unless x is defined and f32 or bf16: as require.
void require_float(const char* operation, const char* argument, const Tensor& x);
/// Throws unless x is defined and has the dtype of `other`, another argument of f32 or bf16: as require, with both
/// names.
void require_alike(const char* operation, const char* argument, const Tensor& x, const char* other_argument,
                   const Tensor& other);
/// Throws a ValueError unless x is defined.
void require_defined(const char* operation, const char* argument, const Tensor& x);
/// The axis as a number from 0 to rank - 1. Throws: ShapeError with the names of operation and argument.
int require_axis(const char* operation, const char* argument, const Tensor& x, int axis);

/// Calls f.operator()<T>() with the type of the elements, float or BFloat16.
template <class F>
decltype(auto) with_type(Dtype dtype, F&& f) {
  return dtype == Dtype::bf16 ? f.template operator()<BFloat16>() : f.template operator()<float>();
}

/// Calls f.operator()<T, G>() with the types of an operation's elements and of where a gradient is gathered: G is T, or
/// float for a parameter.
template <class F>
decltype(auto) with_types(Dtype dtype, const Tensor& gradient, F&& f) {
  if (dtype != Dtype::bf16) return f.template operator()<float, float>();
  if (gradient.dtype() == Dtype::bf16) return f.template operator()<BFloat16, BFloat16>();
  return f.template operator()<BFloat16, float>();
}

/// The elements of a tensor, for a kernel; null if it is undefined.
template <class T>
const T* data_or_null(const Tensor& x) {
  return x.defined() ? x.data<T>() : nullptr;
}
template <class T>
T* mutable_data_or_null(Tensor& x) {
  return x.defined() ? x.mutable_data<T>() : nullptr;
}

/// If the gradient of an input is wanted, calls write.operator()<G>(G* gradient, bool accumulate) with the buffer it is
/// gathered in; `write` adds to that when `accumulate`, else overwrites it. T is the type of the operation's elements;
/// G is T, or float for a parameter, whose gradient is f32.
template <class T, class Write>
void write_gradient(Gradients& gradients, int input, Write&& write) {
  if (!gradients.wants(input)) return;
  Gradients::Target target = gradients.into(input);
  const auto call = [&]<class G>() {
    G* const gradient = target.tensor.mutable_data<G>();
    target.tensor = Tensor();  // the tape is the only holder again, should `write` ask for another input's gradient
    write.template operator()<G>(gradient, target.accumulate);
  };
  if (target.tensor.dtype() == dtype_of<T>) {
    call.template operator()<T>();
  } else {
    call.template operator()<float>();
  }
}

/// The gradient of an input of which each element is a sum of many terms: in float whatever the input's dtype, because
/// bf16 would lose small terms. Starts from zeros, or from the gradient gathered so far.
class SummedGradient {
 public:
  /// The input must be wanted.
  SummedGradient(Gradients& gradients, int input);
  float* data() { return sums_.mutable_data<float>(); }
  /// Must be called after all terms were added; gives the gradient to the tape.
  void close();

 private:
  Tensor target_, sums_;
  bool accumulate_;
};

/// Before rows of a table are read: catches up on updates that an optimizer owes them.
void pay_rows(const Tensor& weight, const Tensor& ids);

/// x in another dtype, unrecorded; x itself when it has that already. f32 and bf16 only.
Tensor converted(const Tensor& x, Dtype dtype);

/// x under another shape, recorded. `name` is a string literal.
Tensor viewed(const char* name, const Tensor& x, const Shape& shape);
/// Records y, the elements of x from `first` on along an axis.
Tensor sliced(const char* name, const Tensor& x, int axis, std::int64_t first, Tensor y);

/// Gives `gradient`, which has the shape of the result, to an input that may have been broadcast to it.
void give_reduced(Gradients& gradients, int input, Tensor gradient);

/// A tensor for the result of an elementwise backward: dy itself if this is its only handle, which saves a third of the
/// memory traffic; else a new tensor of its shape and dtype.
Tensor overwritable(const Tensor& dy);

/// A shape as [outer, size, inner], where `size` is that of one axis.
struct AxisView {
  std::int64_t outer, size, inner;
};
AxisView view_of(const Shape& shape, int axis);

}  // namespace temper::detail
