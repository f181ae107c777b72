#include "optim/kernels/table.hpp"

#include <atomic>

#include "optim/kernels/isa/parts.hpp"

namespace temper::optim_kernels {

#define TEMPER_DECLARE(name) \
  namespace name {           \
  extern const Parts parts;  \
  }
TEMPER_EACH_ISA(TEMPER_DECLARE)
#undef TEMPER_DECLARE

namespace {

std::atomic<const Table*>& in_use() {
  static std::atomic<const Table*> current = &table_of(kernels::isa());
  return current;
}

}  // namespace

const Table& table_of(kernels::Isa isa) {
#define TEMPER_MERGED(name) kernels::merged(name::parts),
  static const Table tables[] = {TEMPER_EACH_ISA(TEMPER_MERGED)};
#undef TEMPER_MERGED
  return tables[static_cast<std::size_t>(isa)];
}

const Table& current() { return *in_use().load(std::memory_order_relaxed); }

void use(kernels::Isa isa) { in_use() = &table_of(isa); }

}  // namespace temper::optim_kernels
