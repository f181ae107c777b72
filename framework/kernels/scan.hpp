#pragma once

// Running results along the middle axis of [outer, n, inner], gathered in double, in fixed pieces.

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

struct Scan {
  Index outer, n, inner;
  bool reverse = false;    ///< from the end
  bool exclusive = false;  ///< of what comes before an element, without it
};

/// Sums; T is float, BFloat16, or std::int64_t, whose sums wrap around.
template <class T>
void cumsum(const Scan& scan, const T* x, T* y);

/// Products, from the beginning and inclusive.
void cumprod(const Scan& scan, const float* x, float* y);
void cumprod_backward(const Scan& scan, const float* x, const float* dy, float* dx);

/// log(sum(exp)), from the beginning and inclusive.
void logcumsumexp(const Scan& scan, const float* x, float* y);
void logcumsumexp_backward(const Scan& scan, const float* x, const float* y, const float* dy, float* dx);

/// y [outer, inner] = the product of each line; dx = dy times the product of all others.
void product(const Scan& scan, const float* x, float* y);
void product_backward(const Scan& scan, const float* x, const float* dy, float* dx);

}  // namespace temper::kernels
