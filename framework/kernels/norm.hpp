#pragma once

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// Layer norm of each row of x[rows, cols]; RMS norm when `mean` is null. Weight and bias [cols] may be null.
/// mean[rows] and inverse[rows] = 1 / sqrt(variance + eps) are what the backward needs.
void norm(const float* x, Index rows, Index cols, const float* weight, const float* bias, float eps, float* y,
          float* mean, float* inverse);
/// Each of dx[rows, cols], to which it adds when `accumulate`, dweight[cols] and dbias[cols] may be null.
void norm_backward(const float* x, const float* dy, Index rows, Index cols, const float* weight, const float* mean,
                   const float* inverse, float* dx, bool accumulate, float* dweight, float* dbias);

}  // namespace temper::kernels
