#pragma once

// Vectors of 32-bit integers: the bits of floats, and random bits for rounding.

#include <bit>

#include "optim/kernels/isa/sweep.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

using kernels::TEMPER_ISA::largest_lane;
using kernels::TEMPER_ISA::load_u16;
using kernels::TEMPER_ISA::load_u8_high;
using kernels::TEMPER_ISA::shift_left;
using kernels::TEMPER_ISA::shift_right;
using kernels::TEMPER_ISA::store_u16;
using kernels::TEMPER_ISA::store_u8;
using kernels::TEMPER_ISA::times;

static inline Int bits_of(Vec x) { return bits_as<Int>(x); }
static inline Vec float_of(Int x) { return bits_as<Vec>(x); }
/// The largest of the non-negative floats whose bits are given. Compared as integers, NaN is the largest.
static inline float largest_float(Int x) { return std::bit_cast<float>(largest_lane(x)); }

/// Counter-based generator: 32 random bits for each counter, a function of key and counter alone.
/// Source: Appleby, MurmurHash3 (2011), the 32-bit finalizer.
class RandomBits {
 public:
  explicit RandomBits(std::uint32_t key) : key_(key) {
    alignas(64) std::int32_t lanes[width];
    for (Index i = 0; i < width; ++i) lanes[i] = static_cast<std::int32_t>(static_cast<std::uint32_t>(i) * golden);
    lanes_ = Int::load_aligned(lanes);
  }
  /// For the counters first, first + 1, ..., one per lane.
  Int operator()(Index first) const {
    Int x = lanes_ + Int(static_cast<std::int32_t>(static_cast<std::uint32_t>(first) * golden + key_));
    x = times(x ^ shift_right(x, 16), 0x85ebca6bu);
    x = times(x ^ shift_right(x, 13), 0xc2b2ae35u);
    return x ^ shift_right(x, 16);
  }
  /// For one counter.
  std::uint32_t of(Index counter) const {
    std::uint32_t x = static_cast<std::uint32_t>(counter) * golden + key_;
    x = (x ^ x >> 16) * 0x85ebca6bu;
    x = (x ^ x >> 13) * 0xc2b2ae35u;
    return x ^ x >> 16;
  }

 private:
  static constexpr std::uint32_t golden = 0x9e3779b1u;  // 2^32 / golden ratio: maps near counters to distant numbers

  std::uint32_t key_;
  Int lanes_;
};

}  // namespace temper::optim_kernels::TEMPER_ISA
