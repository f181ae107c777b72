#include "framework/kernels/dropout.hpp"

#include <algorithm>

#include <temper/core/parallel.hpp>

#include "framework/core/mutants_internal.hpp"
#include "framework/kernels/isa.hpp"

namespace temper::kernels {

template <class T>
void dropout(const detail::RandomStream& stream, double p, const T* x, T* y, Index n) {
  constexpr Index grain = 1 << 13;  // a multiple of the 64 elements of a block
  const auto kernel = table_of<T>().dropout;
  const float threshold = static_cast<float>(std::min(p * 0x1p24, 0x1p24 - 1.0));  // of 24 random bits
  const float scale = mutant(Mutant::dropout_not_scaled) ? 1.0f : static_cast<float>(1.0 / (1.0 - p));
  const auto key = stream.key(), nonce = stream.nonce();
  parallel_for(n, grain, [&](Index begin, Index end) {
    kernel(key.data(), nonce.data(), begin / 64, threshold, scale, x + begin, y + begin, end - begin);
  });
}
template void dropout(const detail::RandomStream&, double, const float*, float*, Index);
template void dropout(const detail::RandomStream&, double, const BFloat16*, BFloat16*, Index);

}  // namespace temper::kernels
