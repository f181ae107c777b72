#pragma once

// The vector operations of NEON on arm64.

#include <arm_neon.h>

#include "framework/kernels/isa/lanes.hpp"

// xsimd divides floats and takes their roots by estimates, as 32-bit ARM must; arm64 does both exactly.
namespace xsimd {

template <>
inline batch<float, neon64>& batch<float, neon64>::operator/=(const batch<float, neon64>& other) noexcept {
  return *this = vdivq_f32(*this, other);
}
template <>
inline batch<float, neon64> sqrt(const batch<float, neon64>& x) noexcept {
  return vsqrtq_f32(x);
}

}  // namespace xsimd

namespace temper::kernels::TEMPER_ISA {

using Arch = xsimd::neon64;
using Vec = xsimd::batch<float, Arch>;
using Int = xsimd::batch<std::int32_t, Arch>;
using Words = xsimd::batch<std::uint32_t, Arch>;
using Double = xsimd::batch<double, Arch>;

/// a * b + c and c - a * b, rounded once.
static inline Vec multiply_add(Vec a, Vec b, Vec c) { return vfmaq_f32(c, a, b); }
static inline Vec subtract_product(Vec c, Vec a, Vec b) { return vfmsq_f32(c, a, b); }
/// a > b ? a : b and a < b ? a : b, so b where either is NaN.
static inline Vec max_or_second(Vec a, Vec b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
static inline Vec min_or_second(Vec a, Vec b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
/// Of lanes of which none is NaN.
static inline float largest_lane(Vec v) { return vmaxvq_f32(v); }
/// 2^n p for whole n from -126 to 128; the low bits of `shifted` are n.
static inline Vec scaled_by_power(Vec p, Vec, Vec shifted) { return times_power(p, shifted); }

// Floats.

static inline Vec load_part(const float* p, Index count, float fill = 0.0f) { return load_lanes<Vec>(p, count, fill); }
static inline void store_part(float* p, Vec v, Index count) { store_lanes(p, v, count); }

static inline void transpose_4x4(const float* x, Index stride_x, float* y, Index stride_y) {
  const float32x4_t a = vld1q_f32(x), b = vld1q_f32(x + stride_x);
  const float32x4_t c = vld1q_f32(x + 2 * stride_x), d = vld1q_f32(x + 3 * stride_x);
  const float32x4_t ab_even = vtrn1q_f32(a, b), ab_odd = vtrn2q_f32(a, b);  // a0 b0 a2 b2 and a1 b1 a3 b3
  const float32x4_t cd_even = vtrn1q_f32(c, d), cd_odd = vtrn2q_f32(c, d);
  vst1q_f32(y, vcombine_f32(vget_low_f32(ab_even), vget_low_f32(cd_even)));
  vst1q_f32(y + stride_y, vcombine_f32(vget_low_f32(ab_odd), vget_low_f32(cd_odd)));
  vst1q_f32(y + 2 * stride_y, vcombine_f32(vget_high_f32(ab_even), vget_high_f32(cd_even)));
  vst1q_f32(y + 3 * stride_y, vcombine_f32(vget_high_f32(ab_odd), vget_high_f32(cd_odd)));
}

// bf16.

static inline Vec load(const BFloat16* p) {
  return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(reinterpret_cast<const std::uint16_t*>(p)), 16));
}
static inline Vec load_part(const BFloat16* p, Index count, float fill = 0.0f) {
  return load_lanes<Vec>(p, count, fill);
}
static inline void store(BFloat16* p, Vec v) {
  const uint32x4_t bits = vreinterpretq_u32_f32(v), even = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
  const uint32x4_t nearest = vaddq_u32(bits, vaddq_u32(even, vdupq_n_u32(0x7fff)));
  const uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x400000));
  const uint32x4_t chosen = vbslq_u32(vceqq_f32(v, v), nearest, quiet);
  vst1_u16(reinterpret_cast<std::uint16_t*>(p), vshrn_n_u32(chosen, 16));
}
static inline void store_part(BFloat16* p, Vec v, Index count) {
  alignas(16) BFloat16 lanes[4];
  store(lanes, v);
  for (Index i = 0; i < count; ++i) p[i] = lanes[i];
}

// Four bytes as 32-bit numbers, and back.

static inline uint32x4_t widened_bytes(const std::uint8_t* p) {
  std::uint32_t four;
  __builtin_memcpy(&four, p, 4);
  return vmovl_u16(vget_low_u16(vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(four)))));
}
/// The lowest 8 bits of each number.
static inline void store_bytes(std::uint8_t* p, uint32x4_t x) {
  const uint16x4_t words = vmovn_u32(x);
  const std::uint32_t four = vget_lane_u32(vreinterpret_u32_u8(vmovn_u16(vcombine_u16(words, words))), 0);
  __builtin_memcpy(p, &four, 4);
}

// Whole numbers from 0 to 255, stored as bytes.

static inline Vec load(const std::uint8_t* p) { return vcvtq_f32_u32(widened_bytes(p)); }
static inline void store(std::uint8_t* p, Vec v) { store_bytes(p, vcvtq_u32_f32(v)); }

// Bits.

/// Logical shifts.
static inline Int shift_left(Int x, int count) { return vshlq_s32(x, vdupq_n_s32(count)); }
static inline Int shift_right(Int x, int count) {
  return vreinterpretq_s32_u32(vshlq_u32(vreinterpretq_u32_s32(x), vdupq_n_s32(-count)));
}
/// The low 32 bits of the product.
static inline Int times(Int a, std::uint32_t b) { return vmulq_s32(a, vdupq_n_s32(static_cast<int>(b))); }
/// The upper and lower halves of m * x, lane by lane.
static inline void multiply(std::uint32_t m, Words x, Words& high, Words& low) {
  const uint32x4_t all = x;
  const uint32x4_t first = vreinterpretq_u32_u64(vmull_u32(vget_low_u32(all), vdup_n_u32(m)));
  const uint32x4_t second = vreinterpretq_u32_u64(vmull_high_u32(all, vdupq_n_u32(m)));
  high = vuzp2q_u32(first, second);
  low = vuzp1q_u32(first, second);
}
static inline std::int32_t largest_lane(Int x) { return vmaxvq_s32(x); }

static inline Int load_u16(const std::uint16_t* p) { return vreinterpretq_s32_u32(vmovl_u16(vld1_u16(p))); }
/// Stores numbers in [0, 2^16).
static inline void store_u16(std::uint16_t* p, Int x) { vst1_u16(p, vmovn_u32(vreinterpretq_u32_s32(x))); }
/// Loads bytes into the highest byte of each 32-bit number; the others are zero.
static inline Int load_u8_high(const std::uint8_t* p) {
  return vreinterpretq_s32_u32(vshlq_n_u32(widened_bytes(p), 24));
}
/// Stores the lowest 8 bits of each number.
static inline void store_u8(std::uint8_t* p, Int x) { store_bytes(p, vreinterpretq_u32_s32(x)); }

// Doubles.

/// The lower and the upper half in double.
struct Halves {
  Double low, high;
};
static inline Halves widen(Vec x) {
  const float32x4_t all = x;
  return {Double(vcvt_f64_f32(vget_low_f32(all))), Double(vcvt_high_f64_f32(all))};
}

/// How this thread computes: rounding, and what becomes of denormal numbers. The register FPCR.
static inline std::uint64_t float_mode() {
  std::uint64_t mode;
  asm volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
}
static inline void set_float_mode(std::uint64_t mode) { asm volatile("msr fpcr, %0" : : "r"(mode)); }
/// In the mode: denormals are read as zero, and denormal results become zero.
constexpr std::uint64_t flush_denormals = std::uint64_t{1} << 24;

}  // namespace temper::kernels::TEMPER_ISA
