#pragma once

// Each unit of this folder enters its kernels into the table of its instruction set.

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels::TEMPER_ISA {

void fill_table(IsaTable& table);
void fill_elementwise(IsaTable& table);
void fill_reduce(IsaTable& table);
void fill_softmax(IsaTable& table);
void fill_loss(IsaTable& table);
void fill_norm(IsaTable& table);
void fill_batch_norm(IsaTable& table);
void fill_random(IsaTable& table);
void fill_layout(IsaTable& table);
void fill_pool(IsaTable& table);

}  // namespace temper::kernels::TEMPER_ISA
