#include "framework/kernels/isa/isa.hpp"
#include "framework/kernels/isa/parts.hpp"

// Philox4x32-10, several counters at once.
// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011).

namespace temper::kernels::TEMPER_ISA {

namespace {

constexpr Index counters = 16;  // in a block, whose 64 words are word 0 of all counters, then word 1, ...

void philox_block(const std::uint32_t* key, const std::uint32_t* nonce, std::uint64_t block, std::uint32_t* words) {
  constexpr std::uint32_t up_to_15[counters] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const std::uint64_t first = block * counters;  // its lower half never wraps within a block
  for (Index lane = 0; lane < counters; lane += width) {
    Words c0 = Words(static_cast<std::uint32_t>(first)) + Words::load_unaligned(up_to_15 + lane);
    Words c1(static_cast<std::uint32_t>(first >> 32)), c2(nonce[0]), c3(nonce[1]);
    std::uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; ++round) {
      Words high0, low0, high2, low2;
      multiply(0xD2511F53u, c0, high0, low0);
      multiply(0xCD9E8D57u, c2, high2, low2);
      c0 = high2 ^ c1 ^ Words(k0);
      c1 = low2;
      c2 = high0 ^ c3 ^ Words(k1);
      c3 = low0;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    c0.store_unaligned(words + lane);
    c1.store_unaligned(words + counters + lane);
    c2.store_unaligned(words + 2 * counters + lane);
    c3.store_unaligned(words + 3 * counters + lane);
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
      const Vec drawn = xsimd::to_float(bits_as<Int>(Words::load_aligned(words + i) >> 8));
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
