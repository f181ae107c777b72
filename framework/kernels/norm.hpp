#pragma once

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// Layer norm of each row of x[rows, cols]; RMS norm when `mean` is null. Weight and bias [cols] may be null.
/// mean[rows] and inverse[rows] = 1 / sqrt(variance + eps) are what the backward needs.
template <class T>
void norm(const T* x, Index rows, Index cols, const float* weight, const float* bias, float eps, T* y, float* mean,
          float* inverse);
/// sum = a + b, and the norm of that.
template <class T>
void add_norm(const T* a, const T* b, Index rows, Index cols, const float* weight, const float* bias, float eps, T* sum,
              T* y, float* mean, float* inverse);
/// Each of dx[rows, cols], to which it adds when `accumulate`, dweight[cols] and dbias[cols] may be null.
template <class T>
void norm_backward(const T* x, const T* dy, Index rows, Index cols, const float* weight, const float* mean,
                   const float* inverse, T* dx, bool accumulate, float* dweight, float* dbias);

}  // namespace temper::kernels
