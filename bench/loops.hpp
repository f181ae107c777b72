#pragma once

// Plain loops that do not use the library. They measure the limits of the machine, with which kernels are compared.

#include <cstdint>

namespace temper::bench {

using Index = std::int64_t;

/// Fused multiply-adds (with SSE2 multiplications and additions) on registers, `rounds` times.
/// Returns the number of floating-point operations of this thread.
double fma_sse2(Index rounds);
double fma_avx2(Index rounds);
double fma_avx512(Index rounds);
/// Dot products of bf16 pairs, accumulated in f32.
double fma_bf16(Index rounds);

// Loops over memory with all threads, each on a consecutive part.

/// The sum of x: 4 bytes of memory traffic per element.
float read(const float* x, Index n);
/// y = x: 8 bytes per element, and 4 more if the cache reads lines before they are overwritten.
void copy(const float* x, float* y, Index n);
/// AdamW's memory traffic with little arithmetic: reads p, g, m, v and writes p, m, v, 28 bytes per element.
void sweep(float* p, const float* g, float* m, float* v, Index n);

}  // namespace temper::bench
