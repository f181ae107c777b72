#pragma once

#include "optim/kernels/table.hpp"

namespace temper::optim_kernels {

/// While it exists, this thread reads denormal numbers as zero and rounds denormal results to zero. Moments of
/// parameters without gradient decay into denormals, with which many CPUs compute a hundred times slower.
class FlushDenormals {
 public:
  FlushDenormals() : before_(current().flush_denormals()) {}
  ~FlushDenormals() { current().set_float_mode(before_); }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  std::uint64_t before_;
};

}  // namespace temper::optim_kernels
