#pragma once

// A table of kernels must be built without running code that is compiled for its instruction set, which this CPU may
// lack. So each unit exports its kernels as a constant, null in all other entries, and portable code merges these.

#include <array>
#include <bit>
#include <cstddef>

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// A unit's part of a table. `fill` runs at compile time only.
template <class Table>
consteval Table filled(void (*fill)(Table&)) {
  Table table{};
  fill(table);
  return table;
}

/// One table with the entries of all parts.
template <class Table, std::size_t count>
Table merged(const std::array<const Table*, count>& parts) {
  using Entries = std::array<void (*)(), sizeof(Table) / sizeof(void (*)())>;
  Entries entries{};
  for (const Table* part : parts) {
    const Entries own = std::bit_cast<Entries>(*part);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (own[i] != nullptr) entries[i] = own[i];
    }
  }
  return std::bit_cast<Table>(entries);
}

/// The parts of an instruction set's table, one for each unit of this folder.
using Parts = std::array<const IsaTable*, 10>;

#if defined(TEMPER_ISA)
namespace TEMPER_ISA {
extern const IsaTable elementwise_kernels, reduce_kernels, softmax_kernels, loss_kernels, norm_kernels,
    batch_norm_kernels, random_kernels, layout_kernels, pool_kernels, product_kernels;
extern const Parts parts;
}  // namespace TEMPER_ISA
#endif

}  // namespace temper::kernels
