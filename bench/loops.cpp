#include "bench/loops.hpp"

#include <immintrin.h>

#include <omp.h>

namespace temper::bench {

namespace {

// Independent sums, enough to hide the latency of a multiplication and an addition.
constexpr int chains = 12;

/// Keeps the compiler from removing the computation of a value that is not read.
template <class T>
void use(T& value) {
  asm volatile("" : "+x"(value));
}
template <class T>
[[gnu::target("avx512f")]] void use_wide(T& value) {
  asm volatile("" : "+v"(value));
}

/// This thread's part of n elements, in whole cache lines.
struct Part {
  explicit Part(Index n) {
    const Index team = omp_get_num_threads(), self = omp_get_thread_num();
    const Index share = (n / team + 15) / 16 * 16;
    begin = share * self < n ? share * self : n;
    end = begin + share < n && self + 1 < team ? begin + share : n;
  }
  Index begin, end;
};

[[gnu::target_clones("avx512f", "avx2", "default"), gnu::optimize("O3", "fast-math")]] float sum_of(const float* x,
                                                                                                    Index n) {
  float sum = 0;
  for (Index i = 0; i < n; ++i) sum += x[i];
  return sum;
}

[[gnu::target_clones("avx512f", "avx2", "default"), gnu::optimize("O3", "no-tree-loop-distribute-patterns")]] void
copy_part(const float* x, float* y, Index n) {
  for (Index i = 0; i < n; ++i) y[i] = x[i];
}

[[gnu::target_clones("avx512f", "avx2", "default"), gnu::optimize("O3")]] void sweep_part(
    float* __restrict p, const float* __restrict g, float* __restrict m, float* __restrict v, Index n) {
  for (Index i = 0; i < n; ++i) {
    m[i] = 0.5f * m[i] + g[i];
    v[i] = 0.5f * v[i] + g[i];
    p[i] = 0.5f * p[i] + m[i] + v[i];
  }
}

}  // namespace

double fma_sse2(Index rounds) {
  __m128 sums[chains], factor = _mm_set1_ps(0.5f), term = _mm_set1_ps(1.0f);
  for (auto& sum : sums) sum = _mm_setzero_ps();
  for (Index i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (auto& sum : sums) sum = _mm_add_ps(_mm_mul_ps(sum, factor), term);
  }
  for (auto& sum : sums) use(sum);
  return 2.0 * 4 * chains * static_cast<double>(rounds);
}

[[gnu::target("avx2,fma")]] double fma_avx2(Index rounds) {
  __m256 sums[chains], factor = _mm256_set1_ps(0.5f), term = _mm256_set1_ps(1.0f);
  for (auto& sum : sums) sum = _mm256_setzero_ps();
  for (Index i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (auto& sum : sums) sum = _mm256_fmadd_ps(sum, factor, term);
  }
  for (auto& sum : sums) use(sum);
  return 2.0 * 8 * chains * static_cast<double>(rounds);
}

[[gnu::target("avx512f")]] double fma_avx512(Index rounds) {
  __m512 sums[chains], factor = _mm512_set1_ps(0.5f), term = _mm512_set1_ps(1.0f);
  for (auto& sum : sums) sum = _mm512_setzero_ps();
  for (Index i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (auto& sum : sums) sum = _mm512_fmadd_ps(sum, factor, term);
  }
  for (auto& sum : sums) use_wide(sum);
  return 2.0 * 16 * chains * static_cast<double>(rounds);
}

[[gnu::target("avx512f,avx512bf16")]] double fma_bf16(Index rounds) {
  __m512 sums[chains];
  const __m512 half = _mm512_set1_ps(0.5f);
  const __m512bh pairs = _mm512_cvtne2ps_pbh(half, half);
  for (auto& sum : sums) sum = _mm512_setzero_ps();
  for (Index i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (auto& sum : sums) sum = _mm512_dpbf16_ps(sum, pairs, pairs);
  }
  for (auto& sum : sums) use_wide(sum);
  return 4.0 * 16 * chains * static_cast<double>(rounds);
}

float read(const float* x, Index n) {
  float sum = 0;
#pragma omp parallel reduction(+ : sum)
  {
    const Part part(n);
    sum += sum_of(x + part.begin, part.end - part.begin);
  }
  return sum;
}

void copy(const float* x, float* y, Index n) {
#pragma omp parallel
  {
    const Part part(n);
    copy_part(x + part.begin, y + part.begin, part.end - part.begin);
  }
}

void sweep(float* p, const float* g, float* m, float* v, Index n) {
#pragma omp parallel
  {
    const Part part(n);
    sweep_part(p + part.begin, g + part.begin, m + part.begin, v + part.begin, part.end - part.begin);
  }
}

}  // namespace temper::bench
