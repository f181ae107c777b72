#include "framework/kernels/dropout.hpp"

#include <algorithm>

#include <temper/core/parallel.hpp>

#include "framework/kernels/isa.hpp"

namespace temper::kernels {

Dropping::Dropping(const detail::RandomStream& stream, double p)
    : key(stream.key()),
      nonce(stream.nonce()),
      threshold(static_cast<float>(std::min(p * 0x1p24, 0x1p24 - 1.0))),
      scale(static_cast<float>(1.0 / (1.0 - p))) {}

template <class T>
void dropout(const detail::RandomStream& stream, double p, const T* x, T* y, Index n) {
  constexpr Index grain = 1 << 13;  // a multiple of the 64 elements of a block
  const auto kernel = table_of<T>().dropout;
  const Dropping dropping(stream, p);
  parallel_for(n, grain, [&](Index begin, Index end) {
    kernel(dropping.key.data(), dropping.nonce.data(), begin / 64, dropping.threshold, dropping.scale, x + begin,
           y + begin, end - begin);
  });
}
template void dropout(const detail::RandomStream&, double, const float*, float*, Index);
template void dropout(const detail::RandomStream&, double, const BFloat16*, BFloat16*, Index);

}  // namespace temper::kernels
