#include "framework/kernels/rotary.hpp"

#include <algorithm>

#include <temper/core/parallel.hpp>

#include "framework/kernels/bfloat16.hpp"

namespace temper::kernels {

template <class T>
void rotate(const Rotary& s, const T* x, const float* cosines, const float* sines, bool inverse, T* y) {
  constexpr Index grain = 1 << 13;
  const float sign = inverse ? -1.0f : 1.0f;
  const Index step = s.interleaved ? 2 : 1, partner = s.interleaved ? 1 : s.pairs;
  parallel_for(s.outer * s.tokens, std::max<Index>(1, grain / std::max<Index>(1, s.inner * s.width)),
               [&](Index begin, Index end) {
                 for (Index row = begin; row < end; ++row) {
                   const Index token = row % s.tokens;
                   const Index place = (s.positions != nullptr ? s.positions[token] : s.first + token) * s.pairs;
                   for (Index i = row * s.inner; i < (row + 1) * s.inner; ++i) {
                     const T* const from = x + i * s.width;
                     T* const to = y + i * s.width;
                     for (Index pair = 0; pair < s.pairs; ++pair) {
                       const float c = cosines[place + pair], d = sign * sines[place + pair];
                       const float a = widened(from[pair * step]), b = widened(from[pair * step + partner]);
                       to[pair * step] = narrowed<T>(a * c - b * d);
                       to[pair * step + partner] = narrowed<T>(b * c + a * d);
                     }
                     std::copy(from + 2 * s.pairs, from + s.width, to + 2 * s.pairs);
                   }
                 }
               });
}
template void rotate(const Rotary&, const float*, const float*, const float*, bool, float*);
template void rotate(const Rotary&, const BFloat16*, const float*, const float*, bool, BFloat16*);

}  // namespace temper::kernels
