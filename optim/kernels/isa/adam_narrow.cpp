#include <limits>

#include "optim/kernels/isa/adam_rule.hpp"
#include "optim/kernels/isa/narrow.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

namespace {

/// bfloat16, rounded up with the probability that keeps the mean.
void adam_bf16(const AdamScalars& s, const NarrowColumns& c, Index n) {
  const AdamRule rule(s);
  const RandomBits random(c.key);
  const auto step = [&](Vec p, Vec g, Int& m_bits, Int& v_bits, Index i) {
    Vec m = float_of(shift_left(m_bits, 16)), v = float_of(shift_left(v_bits, 16));
    rule.moments(p, g, m, v);
    const Int bits = random(c.first + i);
    m_bits = shift_right(bits_of(m) + (bits & Int(0xffff)), 16);
    v_bits = shift_right(bits_of(v) + shift_right(bits, 16), 16);
    return p - rule.change(p, m, v);
  };
  auto *ms = static_cast<std::uint16_t*>(c.m), *vs = static_cast<std::uint16_t*>(c.v);
  Index i = 0;
  for (; i + width <= n; i += width) {
    Int m = load_u16(ms + i), v = load_u16(vs + i);
    store(c.p + i, step(load(c.p + i), load(c.g + i), m, v, i));
    store_u16(ms + i, m);
    store_u16(vs + i, v);
  }
  if (i < n) {
    alignas(64) std::uint16_t m_part[width] = {}, v_part[width] = {};
    for (Index j = 0; i + j < n; ++j) {
      m_part[j] = ms[i + j];
      v_part[j] = vs[i + j];
    }
    Int m = load_u16(m_part), v = load_u16(v_part);
    store_part(c.p + i, step(load_part(c.p + i, n - i), load_part(c.g + i, n - i), m, v, i), n - i);
    store_u16(m_part, m);
    store_u16(v_part, v);
    for (Index j = 0; i + j < n; ++j) {
      ms[i + j] = m_part[j];
      vs[i + j] = v_part[j];
    }
  }
}

// Codes of 8 bits. A number x >= 0 is kept as the last exponent bits and first mantissa bits of the float x / unit + 2:
// steps are even near zero and grow with x, zero is exact, and packing is integer arithmetic. The unit belongs to a
// block of 256. Products and bit operations are what limits the speed here, so there are as few as can be.

constexpr std::int32_t two_bits = 0x40000000;

constexpr int m_mantissa = 4;  // and a sign
constexpr int r_mantissa = 5;  // the root of the second moment

/// In units. Only the lowest bits of `code` count: 3 and those of the mantissa.
template <int mantissa>
Vec unpack(Int code) {
  constexpr std::int32_t mask = (8 << 23) - (1 << (23 - mantissa));
  return float_of((shift_left(code, 23 - mantissa) & Int(mask)) | Int(two_bits)) - Vec(2.0f);
}
/// `random` holds 23 - mantissa random bits. The code has more bits above it.
template <int mantissa>
Int packed(Vec x, Vec per_unit, Int random) {
  constexpr std::int32_t last = (two_bits >> (23 - mantissa)) + 8 * (1 << mantissa) - 1;
  return xsimd::min(shift_right(bits_of(x * per_unit + Vec(2.0f)) + random, 23 - mantissa), Int(last));
}
/// What the largest code stands for, in units.
template <int mantissa>
constexpr float largest = 256.0f * (2.0f - 1.0f / (1 << mantissa)) - 2.0f;

/// What one block of 256 elements is updated with.
struct Block {
  float* p;
  const float* g;
  std::uint8_t *m, *r;     // codes
  float *m_unit, *r_unit;  // in what
  Index number;            // of the first element, for the random bits
};

/// AdamRule with the units and the scale of the gradients multiplied into the other scalars.
template <bool l2>
void adam_block(const AdamScalars& s, const AdamRule& rule, const RandomBits& random, const Block& c) {
  alignas(64) float ms[narrow_block], rs[narrow_block];
  const float scale = l2 ? 1.0f : s.scale;
  const Vec keep_m(s.beta1 * *c.m_unit), keep_r(__builtin_sqrtf(s.beta2) * *c.r_unit);
  const Vec take_m(s.rest1 * scale), take_r(__builtin_sqrtf(s.rest2) * scale);
  Vec m_largest(0.0f), r_largest(0.0f);
  // The next block: while this one is packed, the processor would not ask for it by itself.
  for (Index i = narrow_block; i < 2 * narrow_block; i += 64) {
    __builtin_prefetch(c.m + i, 1);
    __builtin_prefetch(c.r + i, 1);
  }
  for (Index i = 0; i < narrow_block; i += width) {
    __builtin_prefetch(c.p + narrow_block + i, 1);
    __builtin_prefetch(c.g + narrow_block + i);
    const Vec p = load(c.p + i);
    Vec g = load(c.g + i);
    if constexpr (l2) g = rule.scale * g + rule.l2 * p;
    const Int code = load_u8(c.m + i);
    const Int sign = shift_left(code, 24) & Int(std::numeric_limits<std::int32_t>::min());
    const Vec m = keep_m * float_of(bits_of(unpack<m_mantissa>(code)) | sign) + take_m * g;
    const Vec kept = keep_r * unpack<r_mantissa>(load_u8(c.r + i)), taken = take_r * g;
    const Vec v = kept * kept + taken * taken;
    store(c.p + i, p - rule.change(p, m, v));
    const Vec root = xsimd::sqrt(v);
    store(ms + i, m);
    store(rs + i, root);
    m_largest = xsimd::max(m_largest, xsimd::abs(m));
    r_largest = xsimd::max(r_largest, root);
  }

  *c.m_unit = largest_lane(m_largest) * (1.0f / largest<m_mantissa>);
  *c.r_unit = largest_lane(r_largest) * (1.0f / largest<r_mantissa>);
  const Vec m_per(*c.m_unit > 0.0f ? 1.0f / *c.m_unit : 0.0f), r_per(*c.r_unit > 0.0f ? 1.0f / *c.r_unit : 0.0f);
  const auto pack = [&](Index i, Int bits) {
    const Vec m = load(ms + i), r = load(rs + i);
    // The same random bits for both: their roundings then go the same way, and their quotient, the step, errs less.
    const Int m_code = packed<m_mantissa>(xsimd::abs(m), m_per, shift_right(bits, 9 + m_mantissa));
    const Int r_code = packed<r_mantissa>(r, r_per, shift_right(bits, 9 + r_mantissa));
    store_u8(c.m + i, m_code | (shift_right(bits_of(m), 24) & Int(0x80)));
    // A root is never packed as zero, or the step would explode.
    constexpr std::int32_t least = (two_bits >> (23 - r_mantissa)) + 1;
    store_u8(c.r + i, xsimd::max(r_code, Int(least)));
  };
  for (Index i = 0; i < narrow_block / 2; i += width) {
    const Int bits = random(c.number + i);
    pack(i, bits);
    pack(i + narrow_block / 2, shift_left(bits, 16));
  }
}

template <bool l2>
void adam_8bit_with(const AdamScalars& s, const NarrowColumns& c, Index n) {
  const AdamRule rule(s);
  const RandomBits random(c.key);
  auto *const m = static_cast<std::uint8_t*>(c.m), *const r = static_cast<std::uint8_t*>(c.v);
  Index i = 0;
  for (; i + narrow_block <= n; i += narrow_block) {
    const Index block = i / narrow_block;
    adam_block<l2>(s, rule, random,
                   {c.p + i, c.g + i, m + i, r + i, c.m_units + block, c.v_units + block, c.first + i});
  }
  if (i < n) {
    // Missing elements are zeros, which have the smallest code: they change no unit.
    alignas(64) float p[narrow_block] = {}, g[narrow_block] = {};
    alignas(64) std::uint8_t m_codes[narrow_block] = {}, r_codes[narrow_block] = {};
    const Index block = i / narrow_block;
    for (Index j = 0; i + j < n; ++j) {
      p[j] = c.p[i + j];
      g[j] = c.g[i + j];
      m_codes[j] = m[i + j];
      r_codes[j] = r[i + j];
    }
    adam_block<l2>(s, rule, random, {p, g, m_codes, r_codes, c.m_units + block, c.v_units + block, c.first + i});
    for (Index j = 0; i + j < n; ++j) {
      c.p[i + j] = p[j];
      m[i + j] = m_codes[j];
      r[i + j] = r_codes[j];
    }
  }
}

void adam_8bit(const AdamScalars& s, const NarrowColumns& c, Index n) {
  (s.l2 == 0.0f ? adam_8bit_with<false> : adam_8bit_with<true>)(s, c, n);
}

}  // namespace

void fill_adam_narrow(Table& table) {
  table.adam_bf16 = adam_bf16;
  table.adam_8bit = adam_8bit;
}

}  // namespace temper::optim_kernels::TEMPER_ISA
