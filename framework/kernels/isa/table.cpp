#include "framework/kernels/isa/table.hpp"

#include "framework/kernels/isa/fill.hpp"

namespace temper::kernels::TEMPER_ISA {

void fill_table(IsaTable& table) {
  fill_elementwise(table);
  fill_pool(table);
}

}  // namespace temper::kernels::TEMPER_ISA
