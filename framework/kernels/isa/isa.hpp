#pragma once

// Included by units that are compiled once per instruction set. TEMPER_ISA is sse2, avx2 or avx512; everything in
// such a unit lives in the namespace of that name or has internal linkage, so that no copy can stand in for another.

#include <xsimd/xsimd.hpp>

namespace temper::kernels::TEMPER_ISA {

#if defined(TEMPER_ISA_avx512)
using Arch = xsimd::avx512bw;
#elif defined(TEMPER_ISA_avx2)
using Arch = xsimd::fma3<xsimd::avx2>;
#else
using Arch = xsimd::sse2;
#endif

using Vec = xsimd::batch<float, Arch>;
using Mask = Vec::batch_bool_type;
using Index = std::int64_t;

inline constexpr Index width = static_cast<Index>(Vec::size);

static inline Vec load(const float* p) { return Vec::load_unaligned(p); }
static inline void store(float* p, Vec v) { v.store_unaligned(p); }

/// The first `count` < width lanes; the others hold `fill`. Tails go through the same vector code as bodies, so that
/// an element's value never depends on where in the array it stands.
static inline Vec load_part(const float* p, Index count, float fill = 0.0f) {
  alignas(64) float lanes[width];
  for (Index i = 0; i < width; ++i) lanes[i] = i < count ? p[i] : fill;
  return Vec::load_aligned(lanes);
}
static inline void store_part(float* p, Vec v, Index count) {
  alignas(64) float lanes[width];
  v.store_aligned(lanes);
  for (Index i = 0; i < count; ++i) p[i] = lanes[i];
}

/// y[i] = f(x[i]) for n elements.
template <class F>
static inline void transform(const float* x, float* y, Index n, F f) {
  Index i = 0;
  for (; i + width <= n; i += width) store(y + i, f(load(x + i)));
  if (i < n) store_part(y + i, f(load_part(x + i, n - i)), n - i);
}
/// y[i] = f(a[i], b[i]) for n elements.
template <class F>
static inline void transform(const float* a, const float* b, float* y, Index n, F f) {
  Index i = 0;
  for (; i + width <= n; i += width) store(y + i, f(load(a + i), load(b + i)));
  if (i < n) store_part(y + i, f(load_part(a + i, n - i), load_part(b + i, n - i)), n - i);
}

}  // namespace temper::kernels::TEMPER_ISA
