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

// Codes of 8 bits. A number x >= 0 is kept as the exponent and first bits of the float x / unit + 1: steps are even
// near zero and grow with x, zero is exact, and packing is integer arithmetic. The unit belongs to a block of 256.

constexpr std::int32_t one_bits = 0x3f800000;

template <int mantissa>
Vec unpack(Int code, Vec unit) {
  return (float_of(shift_left(code, 23 - mantissa) + Int(one_bits)) - Vec(1.0f)) * unit;
}
/// `random` holds 23 - mantissa random bits.
template <int mantissa>
Int pack(Vec x, Vec per_unit, Int random) {
  constexpr std::int32_t last = 8 * (1 << mantissa) - 1;
  const Int code = shift_right(bits_of(x * per_unit + Vec(1.0f)) - Int(one_bits) + random, 23 - mantissa);
  return xsimd::min(code, Int(last));
}
/// What the largest code stands for, in units.
template <int mantissa>
constexpr float largest = 128.0f * (2.0f - 1.0f / (1 << mantissa)) - 1.0f;

constexpr int m_mantissa = 4;  // and a sign
constexpr int r_mantissa = 5;  // the root of the second moment

float largest_lane(Vec x) {
  alignas(64) float lanes[width];
  x.store_aligned(lanes);
  float result = 0.0f;
  for (float lane : lanes) result = lane > result ? lane : result;
  return result;
}

/// One block of up to 256 elements.
void adam_block(const AdamRule& rule, const RandomBits& random, const NarrowColumns& c, Index begin, Index n) {
  alignas(64) float ms[narrow_block], rs[narrow_block];
  alignas(64) std::uint8_t m_codes[narrow_block], r_codes[narrow_block];
  auto* const m_memory = static_cast<std::uint8_t*>(c.m) + begin;
  auto* const r_memory = static_cast<std::uint8_t*>(c.v) + begin;
  float& m_unit = c.m_units[begin / narrow_block];
  float& r_unit = c.v_units[begin / narrow_block];
  const bool whole = n == narrow_block;
  const std::uint8_t *m_in = m_memory, *r_in = r_memory;
  if (!whole) {
    for (Index i = 0; i < narrow_block; ++i) {
      m_codes[i] = i < n ? m_memory[i] : 0;
      r_codes[i] = i < n ? r_memory[i] : 0;
    }
    m_in = m_codes;
    r_in = r_codes;
  }

  Vec m_largest(0.0f), r_largest(0.0f);
  for (Index i = 0; i < n; i += width) {
    const bool full = i + width <= n;
    float* p_memory = c.p + begin + i;
    const float* g_memory = c.g + begin + i;
    const Vec p = full ? load(p_memory) : load_part(p_memory, n - i);
    const Vec g = full ? load(g_memory) : load_part(g_memory, n - i);
    const Int code = load_u8(m_in + i);
    Vec m = unpack<m_mantissa>(code & Int(0x7f), Vec(m_unit));
    m = float_of(bits_of(m) | shift_left(code & Int(0x80), 24));
    const Vec r = unpack<r_mantissa>(load_u8(r_in + i), Vec(r_unit));
    Vec v = r * r;
    rule.moments(p, g, m, v);
    const Vec next = p - rule.change(p, m, v);
    if (full) {
      store(p_memory, next);
    } else {
      store_part(p_memory, next, n - i);
    }
    const Vec root = xsimd::sqrt(v);
    store(ms + i, m);
    store(rs + i, root);
    m_largest = xsimd::max(m_largest, xsimd::abs(m));
    r_largest = xsimd::max(r_largest, root);
  }

  // A tail's missing lanes hold zeros, which have the smallest code: they change no unit.
  const float m_top = largest_lane(m_largest), r_top = largest_lane(r_largest);
  m_unit = m_top / largest<m_mantissa>;
  r_unit = r_top / largest<r_mantissa>;
  const Vec m_per(m_unit > 0.0f ? 1.0f / m_unit : 0.0f), r_per(r_unit > 0.0f ? 1.0f / r_unit : 0.0f);
  std::uint8_t *m_out = whole ? m_memory : m_codes, *r_out = whole ? r_memory : r_codes;
  for (Index i = 0; i < n; i += width) {
    const Vec m = load(ms + i), r = load(rs + i);
    const Int bits = random(c.first + begin + i);
    const Int sign = shift_left(shift_right(bits_of(m), 31), 7);
    const Int m_code = pack<m_mantissa>(xsimd::abs(m), m_per, shift_right(bits, 32 - (23 - m_mantissa)));
    // The last bits of the hash serve again: they are not those that round m.
    Int r_code = pack<r_mantissa>(r, r_per, bits & Int((1 << (23 - r_mantissa)) - 1));
    // A root that is not zero never becomes zero, or the step would explode.
    r_code = xsimd::max(r_code, bits_of(xsimd::select(r > Vec(0.0f), float_of(Int(1)), float_of(Int(0)))));
    store_u8(m_out + i, m_code | sign);
    store_u8(r_out + i, r_code);
  }
  if (!whole) {
    for (Index i = 0; i < n; ++i) {
      m_memory[i] = m_codes[i];
      r_memory[i] = r_codes[i];
    }
  }
}

void adam_8bit(const AdamScalars& s, const NarrowColumns& c, Index n) {
  const AdamRule rule(s);
  const RandomBits random(c.key);
  for (Index begin = 0; begin < n; begin += narrow_block) {
    adam_block(rule, random, c, begin, n - begin < narrow_block ? n - begin : narrow_block);
  }
}

}  // namespace

void fill_adam_narrow(Table& table) {
  table.adam_bf16 = adam_bf16;
  table.adam_8bit = adam_8bit;
}

}  // namespace temper::optim_kernels::TEMPER_ISA
