#include "optim/kernels/isa/sweep.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

namespace {

std::uint64_t flush() {
  const std::uint64_t before = kernels::TEMPER_ISA::float_mode();
  kernels::TEMPER_ISA::set_float_mode(before | kernels::TEMPER_ISA::flush_denormals);
  return before;
}

void set_mode(std::uint64_t mode) { kernels::TEMPER_ISA::set_float_mode(mode); }

constexpr void fill(Table& table) {
  table.flush_denormals = flush;
  table.set_float_mode = set_mode;
}

}  // namespace

constexpr Table denormals_kernels = filled(fill);

}  // namespace temper::optim_kernels::TEMPER_ISA
