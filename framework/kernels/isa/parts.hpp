#pragma once

// A table of kernels comes about without running a line that is compiled for its instruction set: each unit exports its
// kernels as a constant, with null in all other entries, and code compiled for every CPU puts the constants together.

#include <array>
#include <bit>
#include <cstddef>

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// A unit's part of a table. The compiler runs `fill`, nobody else.
template <class Table>
consteval Table filled(void (*fill)(Table&)) {
  Table table{};
  fill(table);
  return table;
}

/// The entries of all parts.
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

/// The parts of an instruction set's table, one a unit of this folder.
using Parts = std::array<const IsaTable*, 10>;

#if defined(TEMPER_ISA)
namespace TEMPER_ISA {
extern const IsaTable elementwise_kernels, reduce_kernels, softmax_kernels, loss_kernels, norm_kernels,
    batch_norm_kernels, random_kernels, layout_kernels, pool_kernels, product_kernels;
extern const Parts parts;
}  // namespace TEMPER_ISA
#endif

}  // namespace temper::kernels
