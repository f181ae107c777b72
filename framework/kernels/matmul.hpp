#pragma once

// Products of matrices of float or BFloat16, summed in float.

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// The shape of a product y [m, n] = a [m, k] b [k, n], all row-major, for every matrix of a batch.
struct Matmul {
  Index m = 0;
  Index n = 0;
  Index k = 0;
  Index batch = 1;
  bool transpose_a = false;  ///< a is stored as [k, m]
  bool transpose_b = false;  ///< b is stored as [n, k]
  bool accumulate = false;   ///< y += instead of y =
  bool share_b = false;      ///< one b for the whole batch

  double flops() const { return 2.0 * double(batch) * double(m) * double(n) * double(k); }
};

/// `bias` [n] is added to every row; it may be null. X and Y are the same, or Y is float.
/// Throws: ValueError for BFloat16 where the CPU has no instructions for it.
template <class X, class Y>
void matmul(const Matmul& shape, const X* a, const X* b, const float* bias, Y* y);

/// y [rows, columns] = f(x + bias); y may be x. `bias` [columns] may be null.
template <class T>
void bias_activation(Activation f, const T* x, const float* bias, Index rows, Index columns, T* y);

/// dz [rows, columns] = dy * f'(x + bias); where derivative_from_output(f), x is the output and no bias is added. dz
/// may be dy. `sum` [columns], unless null, is set to (or increased by, when `accumulate`) the sum of its rows. Same
/// bits for any number of threads.
template <class T>
void bias_activation_backward(Activation f, const T* x, const float* bias, const T* dy, Index rows, Index columns,
                              T* dz, float* sum, bool accumulate);

}  // namespace temper::kernels
