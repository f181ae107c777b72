#include "framework/kernels/isa/table.hpp"

#include "framework/kernels/isa/fill.hpp"

namespace temper::kernels::TEMPER_ISA {

void fill_table(IsaTable& table) {
  fill_elementwise(table);
  fill_reduce(table);
  fill_softmax(table);
  fill_loss(table);
  fill_norm(table);
  fill_batch_norm(table);
  fill_random(table);
  fill_layout(table);
  fill_pool(table);
}

}  // namespace temper::kernels::TEMPER_ISA
