#pragma once

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// Layer norm of each row of x[rows, cols]; RMS norm when `mean` is null. Weight and bias [cols] may be null.
/// mean[rows] and inverse[rows] = 1 / sqrt(variance + eps) are kept for the backward.
template <class T>
void norm(const T* x, Index rows, Index cols, const float* weight, const float* bias, float eps, T* y, float* mean,
          float* inverse);
/// sum = a + b, and the norm of that.
template <class T>
void add_norm(const T* a, const T* b, Index rows, Index cols, const float* weight, const float* bias, float eps, T* sum,
              T* y, float* mean, float* inverse);
/// The gradients that a norm's backward writes: x [rows, cols], weight and bias [cols], each null where it is not
/// wanted; added to what is there where `accumulate_...`, else overwritten.
template <class G>
struct NormGradients {
  G* x = nullptr;
  bool accumulate_x = false;
  float* weight = nullptr;
  bool accumulate_weight = false;
  float* bias = nullptr;
  bool accumulate_bias = false;
};
/// G is T or float.
template <class T, class G>
void norm_backward(const T* x, const T* dy, Index rows, Index cols, const float* weight, const float* mean,
                   const float* inverse, const NormGradients<G>& gradients);

}  // namespace temper::kernels
