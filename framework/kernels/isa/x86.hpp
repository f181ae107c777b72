#pragma once

// What the instruction sets of x86-64 have in common, for their vectors.hpp.

#include <immintrin.h>

#include "framework/kernels/isa/lanes.hpp"

namespace temper::kernels::TEMPER_ISA {

/// The largest of `count` numbers, 4, 8 or 16, of which none is NaN.
static inline float largest_of(const float* lanes, Index count) {
  __m128 four = _mm_load_ps(lanes);
  for (Index i = 4; i < count; i += 4) four = _mm_max_ps(four, _mm_load_ps(lanes + i));
  four = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(four, _mm_shuffle_ps(four, four, 1)));
}

static inline void transpose_4x4(const float* x, Index stride_x, float* y, Index stride_y) {
  __m128 a = _mm_loadu_ps(x), b = _mm_loadu_ps(x + stride_x);
  __m128 c = _mm_loadu_ps(x + 2 * stride_x), d = _mm_loadu_ps(x + 3 * stride_x);
  _MM_TRANSPOSE4_PS(a, b, c, d);
  _mm_storeu_ps(y, a);
  _mm_storeu_ps(y + stride_y, b);
  _mm_storeu_ps(y + 2 * stride_y, c);
  _mm_storeu_ps(y + 3 * stride_y, d);
}

/// How this thread computes: rounding, and what becomes of denormal numbers.
static inline std::uint64_t float_mode() { return _mm_getcsr(); }
static inline void set_float_mode(std::uint64_t mode) { _mm_setcsr(static_cast<unsigned>(mode)); }
/// In the mode: denormals are read as zero, and denormal results become zero.
constexpr std::uint64_t flush_denormals = 0x8000 | 0x0040;

}  // namespace temper::kernels::TEMPER_ISA
