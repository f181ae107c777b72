#pragma once

// Products of f32 matrices.

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// What a product is of: y [m, n] = a [m, k] b [k, n], all row-major, once for every matrix of a batch.
struct Matmul {
  Index m = 0;
  Index n = 0;
  Index k = 0;
  Index batch = 1;
  bool transpose_a = false;  ///< a is stored as [k, m]
  bool transpose_b = false;  ///< b is stored as [n, k]
  bool accumulate = false;   ///< y += instead of y =
  bool share_b = false;      ///< one b for the whole batch
};

/// `bias` [n] is added to every row; it may be null.
void matmul(const Matmul& shape, const float* a, const float* b, const float* bias, float* y);

/// y [columns] = (or += when `accumulate`) the sum of the rows of x [rows, columns]. Same bits for any number of
/// threads.
void sum_rows(const float* x, Index rows, Index columns, float* y, bool accumulate);

/// dz [rows, columns] = dy where y, the output of a ReLU, is above 0 or NaN, else 0; dz may be dy. `sum` [columns] =
/// (or
/// += when `accumulate`) the sum of its rows, unless it is null. Same bits for any number of threads.
void relu_backward(const float* y, const float* dy, Index rows, Index columns, float* dz, float* sum, bool accumulate);

}  // namespace temper::kernels
