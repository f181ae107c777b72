#pragma once

// The loop that all update rules share. Files that include this are compiled without contracting a * b + c to an FMA,
// which would round differently than SSE2.

#include "framework/kernels/isa/isa.hpp"
#include "optim/kernels/isa/parts.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

using kernels::TEMPER_ISA::bits_as;
using kernels::TEMPER_ISA::Double;
using kernels::TEMPER_ISA::Int;
using kernels::TEMPER_ISA::load;
using kernels::TEMPER_ISA::load_part;
using kernels::TEMPER_ISA::max_or_nan;
using kernels::TEMPER_ISA::store;
using kernels::TEMPER_ISA::store_part;
using kernels::TEMPER_ISA::Vec;
using kernels::TEMPER_ISA::width;

// Columns: the arrays a rule works on.

/// Read and written.
struct State {
  float* data;
  Vec get(Index i) const { return load(data + i); }
  Vec get_part(Index i, Index count) const { return load_part(data + i, count); }
  void put(Index i, Vec x) const { store(data + i, x); }
  void put_part(Index i, Vec x, Index count) const { store_part(data + i, x, count); }
};

/// Read only.
struct Input {
  const float* data;
  Vec get(Index i) const { return load(data + i); }
  Vec get_part(Index i, Index count) const { return load_part(data + i, count); }
  void put(Index, Vec) const {}
  void put_part(Index, Vec, Index) const {}
};

/// Calls rule(Vec&...) with the vectors of all columns at the same index, for n elements, and writes them back. The
/// last, partial vector is padded and goes through the same arithmetic.
template <class Rule, class... Columns>
static inline void sweep(Index n, Rule rule, Columns... columns) {
  Index i = 0;
  for (; i + width <= n; i += width) {
    [&](auto... x) {
      rule(x...);
      (columns.put(i, x), ...);
    }(columns.get(i)...);
  }
  if (i < n) {
    [&](auto... x) {
      rule(x...);
      (columns.put_part(i, x, n - i), ...);
    }(columns.get_part(i, n - i)...);
  }
}

}  // namespace temper::optim_kernels::TEMPER_ISA
