#include <limits>

#include "optim/kernels/isa/adam_rule.hpp"
#include "optim/kernels/isa/narrow.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

namespace {

/// Adam with bfloat16 moments and stochastic rounding: rounding up is as likely as the discarded bits are large, so the
/// rounding error is zero on average.
void adam_bf16(const AdamScalars& s, const NarrowColumns& c, Index n) {
  const AdamRule rule(s);
  const RandomBits random(c.key);
  const auto step = [&](Vec p, Vec g, Int& m_bits, Int& v_bits, Index i) {
    Vec m = float_of(shift_left(m_bits, 16)), v = float_of(shift_left(v_bits, 16));
    rule.moments(p, g, m, v);
    const Vec direction = c.nesterov ? rule.beta1 * m + rule.rest1 * (rule.scale * g + rule.l2 * p) : m;
    const Int bits = random(c.first + i);
    m_bits = shift_right(bits_of(m) + (bits & Int(0xffff)), 16);
    v_bits = shift_right(bits_of(v) + shift_right(bits, 16), 16);
    return p - rule.change(p, direction, v);
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

// Quantization to 8 bits, with one scale, the unit, per block of 256 elements. A number x >= 0 is stored as the last
// exponent bits and first mantissa bits of the float x / unit + 2: the codes are evenly spaced near zero and get wider
// with x, zero is exact, and quantizing is integer arithmetic. The count of vector instructions bounds the speed here.

constexpr std::int32_t two_bits = 0x40000000;

constexpr int m_mantissa = 4;  // mantissa bits of the first moment, which has a sign bit too
constexpr int r_mantissa = 5;  // of the square root of the second moment

/// The number in units. The code is the highest byte of `code`.
template <int mantissa>
Vec dequantize(Int code) {
  constexpr std::int32_t mask = (8 << 23) - (1 << (23 - mantissa));
  return float_of((shift_right(code, 1 + mantissa) & Int(mask)) | Int(two_bits)) - Vec(2.0f);
}
/// The code of x >= 0 in the lowest byte; the bits above are undefined. `random` holds 23 - mantissa random bits.
template <int mantissa>
Int quantize(Vec x, Vec per_unit, Int random) {
  return shift_right(bits_of(x * per_unit + Vec(2.0f)) + random, 23 - mantissa);
}
/// A block's unit is its largest number times this: 2^-20 above the exact quotient, so that rounding cannot push the
/// largest number past the largest code.
template <int mantissa>
constexpr float unit_of_largest = (1.0f + 0x1p-20f) / (256.0f * (2.0f - 1.0f / (1 << mantissa)) - 2.0f);

/// The columns of one block of 256 elements.
struct Block {
  float* p;
  const float* g;
  std::uint8_t *m, *r;     // codes
  float *m_unit, *r_unit;  // scales of the codes
  std::uint32_t random;    // this block's random number, XORed into the random bits that all blocks share
};

/// Updates block after block. The unit, and so the codes, depend on all new moments of a block. They are quantized
/// while the next block is updated, which gives the processor two independent streams of instructions.
template <bool l2, bool nesterov>
class Adam8Bit {
 public:
  Adam8Bit(const AdamScalars& s, const RandomBits& random) : s_(s), rule_(s) {
    // Both moments use the same random bits: they are then rounded in the same direction, and the error of their
    // quotient, the step, is smaller.
    for (Index i = 0; i < narrow_block; i += width) {
      const Int bits = random(i);
      shift_right(bits, 9 + m_mantissa).store_aligned(m_random_ + i);
      shift_right(bits, 9 + r_mantissa).store_aligned(r_random_ + i);
    }
  }

  void update(const Block& c) {
    (waiting_ ? update_and_quantize<true> : update_and_quantize<false>)(*this, c);
    waiting_ = true;
  }
  void finish() {
    if (!waiting_) return;
    const Quantizer store_codes(*this);
    for (Index i = 0; i < narrow_block; i += width) store_codes(i);
    waiting_ = false;
  }

 private:
  /// New moments of a block that are not quantized yet.
  struct Moments {
    alignas(64) float m[narrow_block], r[narrow_block];
    std::uint8_t *m_codes, *r_codes;
    float m_per_unit, r_per_unit;
    std::uint32_t random;
  };

  /// Writes the codes of the block updated last.
  struct Quantizer {
    explicit Quantizer(const Adam8Bit& a)
        : x(a.moments_[a.last_]),
          m_random(a.m_random_),
          r_random(a.r_random_),
          m_codes(x.m_codes),
          r_codes(x.r_codes),
          m_per_unit(x.m_per_unit),
          r_per_unit(x.r_per_unit),
          m_mix(static_cast<std::int32_t>(x.random >> (9 + m_mantissa))),
          r_mix(static_cast<std::int32_t>(x.random >> (9 + r_mantissa))) {}

    [[gnu::always_inline]] void operator()(Index i) const {
      const Vec m = load(x.m + i), r = load(x.r + i);
      const Int m_code = quantize<m_mantissa>(xsimd::abs(m), m_per_unit, m_mix ^ Int::load_aligned(m_random + i));
      const Int r_code = quantize<r_mantissa>(r, r_per_unit, r_mix ^ Int::load_aligned(r_random + i));
      store_u8(m_codes + i, m_code | (shift_right(bits_of(m), 24) & Int(0x80)));
      // The root is the divisor of the step, so its code is never that of zero.
      constexpr std::int32_t least = (two_bits >> (23 - r_mantissa)) + 1;
      store_u8(r_codes + i, xsimd::max(r_code, Int(least)));
    }

    const Moments& x;
    const std::int32_t *m_random, *r_random;
    std::uint8_t *m_codes, *r_codes;
    Vec m_per_unit, r_per_unit;
    Int m_mix, r_mix;
  };

  /// AdamRule. The units, the bias correction of the root and the scale of the gradients are multiplied into the other
  /// scalars, once per block.
  template <bool waiting>
  static void update_and_quantize(Adam8Bit& a, const Block& block) {
    const Block c = block;
    const AdamScalars& s = a.s_;
    const AdamRule rule = a.rule_;
    Moments& next = a.moments_[1 - a.last_];
    const float scale = l2 ? 1.0f : s.scale;
    const Vec keep_m(s.beta1 * *c.m_unit), keep_r(__builtin_sqrtf(s.beta2) * s.root * *c.r_unit);
    const Vec take_m(s.rest1 * scale), take_r(__builtin_sqrtf(s.rest2) * s.root * scale);
    // The hardware prefetcher does not run far enough ahead for a loop with so much arithmetic per byte.
    constexpr Index ahead = 2 * narrow_block;
    // Non-negative floats have the order of their bits. Integer maxima are cheaper, and a NaN is the largest.
    Int m_largest(0), r_largest(0);
    const auto step = [&](Index i) __attribute__((always_inline)) {
      __builtin_prefetch(c.p + ahead + i, 1);
      __builtin_prefetch(c.g + ahead + i);
      const Vec p = load(c.p + i);
      Vec g = load(c.g + i);
      if constexpr (l2) g = rule.scale * g + rule.l2 * p;
      const Int code = load_u8_high(c.m + i), sign = code & Int(std::numeric_limits<std::int32_t>::min());
      const Vec m = keep_m * float_of(bits_of(dequantize<m_mantissa>(code)) | sign) + take_m * g;
      const Vec kept = keep_r * dequantize<r_mantissa>(load_u8_high(c.r + i)), taken = take_r * g;
      const Vec r = xsimd::sqrt(kept * kept + taken * taken);
      const Vec direction = nesterov ? rule.beta1 * m + take_m * g : m;
      store(c.p + i, p - rule.change_by_root(p, direction, r));
      store(next.m + i, m);
      store(next.r + i, r);
      m_largest = xsimd::max(m_largest, bits_of(xsimd::abs(m)));
      r_largest = xsimd::max(r_largest, bits_of(r));
    };
    for (Index i = 0; i < narrow_block; i += 64) {
      __builtin_prefetch(c.m + ahead + i, 1);
      __builtin_prefetch(c.r + ahead + i, 1);
    }
    const Quantizer store_codes(a);
    for (Index i = 0; i < narrow_block; i += width) {
      step(i);
      if constexpr (waiting) store_codes(i);
    }
    const float m_unit = largest_float(m_largest) * unit_of_largest<m_mantissa>;
    const float r_unit = largest_float(r_largest) * unit_of_largest<r_mantissa>;
    *c.m_unit = m_unit;
    *c.r_unit = r_unit / s.root;
    next.m_codes = c.m;
    next.r_codes = c.r;
    next.m_per_unit = m_unit > 0.0f ? 1.0f / m_unit : 0.0f;
    next.r_per_unit = r_unit > 0.0f ? 1.0f / r_unit : 0.0f;
    next.random = c.random;
    a.last_ = 1 - a.last_;
  }

  AdamScalars s_;
  AdamRule rule_;
  alignas(64) std::int32_t m_random_[narrow_block], r_random_[narrow_block];  // shared by all blocks
  Moments moments_[2];
  int last_ = 0;          // index in moments_ of the block updated last
  bool waiting_ = false;  // whether that block is not quantized yet
};

template <bool l2, bool nesterov>
void adam_8bit_with(const AdamScalars& s, const NarrowColumns& c, Index n) {
  const RandomBits random(c.key);
  // The counters below narrow_block belong to the bits that all blocks share. A block that used one of them would XOR
  // an element's bits with themselves.
  const auto block_random = [&](Index i) { return random.of(narrow_block + c.first + i); };
  Adam8Bit<l2, nesterov> adam(s, random);
  auto *const m = static_cast<std::uint8_t*>(c.m), *const r = static_cast<std::uint8_t*>(c.v);
  Index i = 0;
  for (; i + narrow_block <= n; i += narrow_block) {
    const Index block = i / narrow_block;
    adam.update({c.p + i, c.g + i, m + i, r + i, c.m_units + block, c.v_units + block, block_random(i)});
  }
  adam.finish();
  if (i < n) {
    // Padded with zeros, which never are the largest number that decides the unit.
    alignas(64) float p[narrow_block] = {}, g[narrow_block] = {};
    alignas(64) std::uint8_t m_codes[narrow_block] = {}, r_codes[narrow_block] = {};
    const Index block = i / narrow_block;
    for (Index j = 0; i + j < n; ++j) {
      p[j] = c.p[i + j];
      g[j] = c.g[i + j];
      m_codes[j] = m[i + j];
      r_codes[j] = r[i + j];
    }
    adam.update({p, g, m_codes, r_codes, c.m_units + block, c.v_units + block, block_random(i)});
    adam.finish();
    for (Index j = 0; i + j < n; ++j) {
      c.p[i + j] = p[j];
      m[i + j] = m_codes[j];
      r[i + j] = r_codes[j];
    }
  }
}

void adam_8bit(const AdamScalars& s, const NarrowColumns& c, Index n) {
  if (c.nesterov) {
    (s.l2 == 0.0f ? adam_8bit_with<false, true> : adam_8bit_with<true, true>)(s, c, n);
  } else {
    (s.l2 == 0.0f ? adam_8bit_with<false, false> : adam_8bit_with<true, false>)(s, c, n);
  }
}

constexpr void fill(Table& table) {
  table.adam_bf16 = adam_bf16;
  table.adam_8bit = adam_8bit;
}

}  // namespace

constexpr Table adam_narrow_kernels = filled(fill);

}  // namespace temper::optim_kernels::TEMPER_ISA
