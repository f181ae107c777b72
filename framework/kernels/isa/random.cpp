#include "framework/kernels/isa/isa.hpp"
#include "framework/kernels/isa/parts.hpp"

// Philox4x32-10, several counters at once. Intrinsics, because xsimd has no widening 32-bit product.
// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011).

namespace temper::kernels::TEMPER_ISA {

namespace {

#if defined(TEMPER_ISA_avx512)
using Words = __m512i;
Words splat(std::uint32_t x) { return _mm512_set1_epi32(static_cast<int>(x)); }
Words load_words(const std::uint32_t* p) { return _mm512_loadu_si512(p); }
void store_words(std::uint32_t* p, Words x) { _mm512_storeu_si512(p, x); }
Words add(Words a, Words b) { return _mm512_add_epi32(a, b); }
Words exclusive_or(Words a, Words b) { return _mm512_xor_si512(a, b); }
Words product(Words a, Words b) { return _mm512_mul_epu32(a, b); }
Words upper(Words x) { return _mm512_srli_epi64(x, 32); }
Words lower_to_upper(Words x) { return _mm512_slli_epi64(x, 32); }
Words interleave(Words even, Words odd) { return _mm512_mask_blend_epi32(0xaaaa, even, odd); }
#elif defined(TEMPER_ISA_avx2)
using Words = __m256i;
Words splat(std::uint32_t x) { return _mm256_set1_epi32(static_cast<int>(x)); }
Words load_words(const std::uint32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
void store_words(std::uint32_t* p, Words x) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x); }
Words add(Words a, Words b) { return _mm256_add_epi32(a, b); }
Words exclusive_or(Words a, Words b) { return _mm256_xor_si256(a, b); }
Words product(Words a, Words b) { return _mm256_mul_epu32(a, b); }
Words upper(Words x) { return _mm256_srli_epi64(x, 32); }
Words lower_to_upper(Words x) { return _mm256_slli_epi64(x, 32); }
Words interleave(Words even, Words odd) { return _mm256_blend_epi32(even, odd, 0xaa); }
#else
using Words = __m128i;
Words splat(std::uint32_t x) { return _mm_set1_epi32(static_cast<int>(x)); }
Words load_words(const std::uint32_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
void store_words(std::uint32_t* p, Words x) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), x); }
Words add(Words a, Words b) { return _mm_add_epi32(a, b); }
Words exclusive_or(Words a, Words b) { return _mm_xor_si128(a, b); }
Words product(Words a, Words b) { return _mm_mul_epu32(a, b); }
Words upper(Words x) { return _mm_srli_epi64(x, 32); }
Words lower_to_upper(Words x) { return _mm_slli_epi64(x, 32); }
Words interleave(Words even, Words odd) {
  const __m128i odd_lanes = _mm_set_epi32(-1, 0, -1, 0);
  return _mm_or_si128(_mm_andnot_si128(odd_lanes, even), _mm_and_si128(odd_lanes, odd));
}
#endif

/// The upper and lower halves of m * x, lane by lane.
void multiply(std::uint32_t m, Words x, Words& high, Words& low) {
  const Words even = product(splat(m), x), odd = product(splat(m), upper(x));
  high = interleave(upper(even), odd);
  low = interleave(even, lower_to_upper(odd));
}

constexpr Index counters = 16;  // in a block, whose 64 words are word 0 of all counters, then word 1, ...

void philox_block(const std::uint32_t* key, const std::uint32_t* nonce, std::uint64_t block, std::uint32_t* words) {
  constexpr std::uint32_t up_to_15[counters] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const std::uint64_t first = block * counters;  // its lower half never wraps within a block
  for (Index lane = 0; lane < counters; lane += width) {
    Words c0 = add(splat(static_cast<std::uint32_t>(first)), load_words(up_to_15 + lane));
    Words c1 = splat(static_cast<std::uint32_t>(first >> 32)), c2 = splat(nonce[0]), c3 = splat(nonce[1]);
    std::uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; ++round) {
      Words high0, low0, high2, low2;
      multiply(0xD2511F53u, c0, high0, low0);
      multiply(0xCD9E8D57u, c2, high2, low2);
      c0 = exclusive_or(exclusive_or(high2, c1), splat(k0));
      c1 = low2;
      c2 = exclusive_or(exclusive_or(high0, c3), splat(k1));
      c3 = low0;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    store_words(words + lane, c0);
    store_words(words + counters + lane, c1);
    store_words(words + 2 * counters + lane, c2);
    store_words(words + 3 * counters + lane, c3);
  }
}

template <class T>
void dropout(const std::uint32_t* key, const std::uint32_t* nonce, Index block, float threshold, float scale,
             const T* x, T* y, Index n) {
  constexpr Index block_size = 4 * counters;
  alignas(64) std::uint32_t words[block_size];
  for (Index begin = 0; begin < n; begin += block_size, ++block) {
    philox_block(key, nonce, static_cast<std::uint64_t>(block), words);
    for_each_vector(n - begin < block_size ? n - begin : block_size, [&](Index i, Index count) {
      // 24 bits, which a float represents exactly.
      const auto upper_bits = xsimd::batch<std::uint32_t, Arch>::load_aligned(words + i) >> 8;
      const Vec drawn = xsimd::to_float(bits_as<xsimd::batch<std::int32_t, Arch>>(upper_bits));
      const Vec kept = load_upto(x + begin + i, count) * Vec(scale);
      store_upto(y + begin + i, xsimd::select(drawn < Vec(threshold), Vec(0.0f), kept), count);
    });
  }
}

constexpr void fill(IsaTable& table) {
  table.philox_block = philox_block;
  table.dropout = dropout<float>;
  table.bf16.dropout = dropout<BFloat16>;
}

}  // namespace

constexpr IsaTable random_kernels = filled(fill);

}  // namespace temper::kernels::TEMPER_ISA
