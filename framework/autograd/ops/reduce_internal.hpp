#pragma once

// What reductions share.

#include <temper/autograd/ops/reduce.hpp>

namespace temper::detail {

/// What a reduction makes of a shape: axes of size 1 where it was reduced, and without them.
struct Reduced {
  Shape kept, dropped;
  std::int64_t count = 1;  // numbers that become one

  const Shape& result(bool keepdim) const { return keepdim ? kept : dropped; }
};

/// Of x over the axes, all when none is given. Throws: ShapeError when there is no such axis or one is given twice.
Reduced reduced(const char* name, const Tensor& x, const Axes& axes);

}  // namespace temper::detail
