#pragma once

// Included by units that are compiled once per instruction set. TEMPER_ISA is sse2, avx2, avx512 or neon; everything in
// such a unit is in the namespace of that name or has internal linkage, so that the linker cannot merge copies for two
// sets. What an instruction set does in its own way is in its vectors.hpp.

#include TEMPER_ISA_VECTORS

namespace temper::kernels::TEMPER_ISA {

using Mask = Vec::batch_bool_type;

inline constexpr Index width = static_cast<Index>(Vec::size);

static inline Vec load(const float* p) { return Vec::load_unaligned(p); }
static inline void store(float* p, Vec v) { v.store_unaligned(p); }

// multiply_add and subtract_product round once where the CPU has FMA. The compiler must not contract by itself: see
// temper_isa_sources in cmake/TemperTargets.cmake.
//
// load_part takes the first `count` < width lanes; the others hold its `fill`, by default 0. Tails run through the same
// vector code as full vectors, so that a result never depends on an element's position in the array.
//
// bf16 elements are converted to float by load, and rounded to the nearest (ties to even; NaN stays NaN) by store.
// Everything in between computes in float.

// From here on T, X and Y are float or BFloat16.

/// load_part and store_part for 1 to width lanes.
template <class T>
static inline Vec load_upto(const T* p, Index count, float fill = 0.0f) {
  return count == width ? load(p) : load_part(p, count, fill);
}
template <class T>
static inline void store_upto(T* p, Vec v, Index count) {
  if (count == width) {
    store(p, v);
  } else {
    store_part(p, v, count);
  }
}

/// NaN stays NaN.
static inline Vec clamp(Vec x, Vec low, Vec high) {
  return xsimd::select(x < low, low, xsimd::select(x > high, high, x));
}

/// v with 0 in the lanes from `count` on.
static inline Vec zero_past(Vec v, Index count) {
  if (count == width) return v;
  alignas(64) float lanes[width];
  v.store_aligned(lanes);
  return load_part(lanes, count);
}

/// Calls f(i, count) for every vector of n elements: i is its first element, count its length (width, at the end less).
template <class F>
static inline void for_each_vector(Index n, F f) {
  Index i = 0;
  for (; i + width <= n; i += width) f(i, width);
  if (i < n) f(i, n - i);
}

/// y[i] = f(x[i]) for n elements.
template <class X, class Y, class F>
static inline void transform(const X* x, Y* y, Index n, F f) {
  Index i = 0;
  for (; i + width <= n; i += width) store(y + i, f(load(x + i)));
  if (i < n) store_part(y + i, f(load_part(x + i, n - i)), n - i);
}
/// y[i] = f(a[i], b[i]) for n elements.
template <class A, class B, class Y, class F>
static inline void transform(const A* a, const B* b, Y* y, Index n, F f) {
  Index i = 0;
  for (; i + width <= n; i += width) store(y + i, f(load(a + i), load(b + i)));
  if (i < n) store_part(y + i, f(load_part(a + i, n - i), load_part(b + i, n - i)), n - i);
}

/// Compensated sums, one in each lane: the rounding error of each addition is subtracted in the next one.
/// Source: Kahan, "Further remarks on reducing truncation errors" (1965).
class LongSum {
 public:
  void operator+=(Vec v) {
    const Vec more = v - excess_, next = sum_ + more, excess = (next - sum_) - more;
    sum_ = next;
    excess_ = xsimd::select(xsimd::isnan(excess), Vec(0.0f), excess);  // infinity - infinity is NaN
  }
  Vec value() const { return sum_; }

 private:
  Vec sum_ = Vec(0.0f), excess_ = Vec(0.0f);
};

/// Sum of all lanes of f(i, count) over the vectors of n elements; lanes past count must be 0. At most 1024 elements
/// are summed in float, and these sums in double, so that the error does not grow with n.
template <class F>
static inline double blocked_sum(Index n, F f) {
  constexpr Index block = 1024;
  double total = 0.0;
  for (Index begin = 0; begin < n; begin += block) {
    const Index end = n - begin < block ? n : begin + block;
    Vec s0(0.0f), s1(0.0f), s2(0.0f), s3(0.0f);
    Index i = begin;
    for (; i + 4 * width <= end; i += 4 * width) {
      s0 += f(i, width);
      s1 += f(i + width, width);
      s2 += f(i + 2 * width, width);
      s3 += f(i + 3 * width, width);
    }
    for (; i < end; i += width) s0 += f(i, end - i < width ? end - i : width);
    total += static_cast<double>(sum_of_lanes((s0 + s1) + (s2 + s3)));
  }
  return total;
}

}  // namespace temper::kernels::TEMPER_ISA
