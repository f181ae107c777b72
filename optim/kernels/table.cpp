#include "optim/kernels/table.hpp"

#include <array>
#include <atomic>

namespace temper::optim_kernels {

namespace sse2 {
void fill_table(Table& table);
}
namespace avx2 {
void fill_table(Table& table);
}
namespace avx512 {
void fill_table(Table& table);
}

namespace {

Table filled(void (*fill)(Table&)) {
  Table table{};
  fill(table);
  return table;
}

std::atomic<const Table*>& in_use() {
  static std::atomic<const Table*> current = &table_of(kernels::isa());
  return current;
}

}  // namespace

const Table& table_of(kernels::Isa isa) {
  static const std::array tables = {filled(sse2::fill_table), filled(avx2::fill_table), filled(avx512::fill_table)};
  return tables[static_cast<std::size_t>(isa)];
}

const Table& current() { return *in_use().load(std::memory_order_relaxed); }

void use(kernels::Isa isa) { in_use() = &table_of(isa); }

}  // namespace temper::optim_kernels
