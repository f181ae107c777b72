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

/// Where a kernel reads or writes a tensor that may be undefined: null then.
template <class T>
const T* data_or_null(const Tensor& x) {
  return x.defined() ? x.data<T>() : nullptr;
}
template <class T>
T* mutable_data_or_null(Tensor& x) {
  return x.defined() ? x.mutable_data<T>() : nullptr;
}

/// Computes the gradient of an input where it is gathered, if it is wanted: calls write.operator()<G>(G* gradient, bool
/// accumulate), which writes with += when `accumulate`, else with =. T is the type of the operation's elements; G is T,
/// or float for a parameter, which gathers in that.
template <class T, class Write>
void write_gradient(Gradients& gradients, int input, Write&& write) {
  if (!gradients.wants(input)) return;
  Gradients::Target target = gradients.into(input);
  const auto call = [&]<class G>() {
    G* const gradient = target.tensor.mutable_data<G>();
    target.tensor = Tensor();  // so that whoever gathers it is its only holder should `write` ask for another input's
    write.template operator()<G>(gradient, target.accumulate);
  };
  if (target.tensor.dtype() == dtype_of<T>) {
    call.template operator()<T>();
  } else {
    call.template operator()<float>();
  }
}

/// Where sums of many terms a piece are gathered: in float, whatever the input is, so that none is lost. Opened with
/// zeros or with what is there already.
class SummedGradient {
 public:
  /// The input must be wanted.
  SummedGradient(Gradients& gradients, int input);
  float* data() { return sums_.mutable_data<float>(); }
  /// To be called when all is added.
  void close();

 private:
  Tensor target_, sums_;
  bool accumulate_;
};

/// x in another dtype, unrecorded; x itself when it has that already. f32 and bf16 only.
Tensor converted(const Tensor& x, Dtype dtype);

/// x under another shape, recorded. `name` is a string literal.
Tensor viewed(const char* name, const Tensor& x, const Shape& shape);
/// Records y, the elements of x from `first` on along an axis.
Tensor sliced(const char* name, const Tensor& x, int axis, std::int64_t first, Tensor y);

/// Gives `gradient`, which has the shape of the result, to an input of `shape` that may have been broadcast to it.
void give_reduced(Gradients& gradients, int input, const Shape& shape, Tensor gradient);

/// Where an elementwise backward writes the gradient it makes of dy: over dy itself when nobody else holds it, which
/// spares a third of the memory traffic; else a new tensor like it.
Tensor overwritable(const Tensor& dy);

/// A shape seen from one of its axes: [outer, size, inner].
struct AxisView {
  std::int64_t outer, size, inner;
};
AxisView view_of(const Shape& shape, int axis);

}  // namespace temper::detail
