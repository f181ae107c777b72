#include "optim/kernels/table.hpp"

#include <array>
#include <atomic>

#include "optim/kernels/isa/parts.hpp"

namespace temper::optim_kernels {

namespace sse2 {
extern const Parts parts;
}
namespace avx2 {
extern const Parts parts;
}
namespace avx512 {
extern const Parts parts;
}

namespace {

std::atomic<const Table*>& in_use() {
  static std::atomic<const Table*> current = &table_of(kernels::isa());
  return current;
}

}  // namespace

const Table& table_of(kernels::Isa isa) {
  static const std::array tables = {kernels::merged(sse2::parts), kernels::merged(avx2::parts),
                                    kernels::merged(avx512::parts)};
  return tables[static_cast<std::size_t>(isa)];
}

const Table& current() { return *in_use().load(std::memory_order_relaxed); }

void use(kernels::Isa isa) { in_use() = &table_of(isa); }

}  // namespace temper::optim_kernels
