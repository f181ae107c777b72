#pragma once

// Plain loops that show what the machine can do, without any of the library: the yardsticks of the benchmarks.

#include <cstdint>

namespace temper::bench {

using Index = std::int64_t;

/// Fused multiply-adds (multiplications and additions with SSE2), `rounds` times on registers alone.
/// Returns the floating-point operations done on this thread.
double fma_sse2(Index rounds);
double fma_avx2(Index rounds);
double fma_avx512(Index rounds);
/// Dot products of bf16 pairs, gathered in f32.
double fma_bf16(Index rounds);

// Loops over memory with all threads, a consecutive part each.

/// The sum of x: 4 bytes of traffic per element.
float read(const float* x, Index n);
/// y = x: 8 bytes, and 4 more where the cache fetches what is about to be overwritten.
void copy(const float* x, float* y, Index n);
/// The traffic of AdamW with next to no arithmetic: reads p, g, m, v, writes p, m, v: 28 bytes.
void sweep(float* p, const float* g, float* m, float* v, Index n);

}  // namespace temper::bench
