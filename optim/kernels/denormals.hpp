#pragma once

#include <immintrin.h>

namespace temper::optim_kernels {

/// While it exists, this thread reads denormal numbers as zero and rounds denormal results to zero. Moments of
/// parameters without gradient decay into denormals, with which many CPUs compute a hundred times slower.
class FlushDenormals {
 public:
  FlushDenormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | flush_to_zero | denormals_are_zero); }
  ~FlushDenormals() { _mm_setcsr(before_); }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  static constexpr unsigned flush_to_zero = 0x8000;
  static constexpr unsigned denormals_are_zero = 0x0040;
  unsigned before_;
};

}  // namespace temper::optim_kernels
