#pragma once

#include <temper/tensor/tensor.hpp>

namespace temper {

/// x converted to another dtype; x itself when it has that dtype. To bf16 rounded to the nearest (ties to even), from a
/// float to i64 rounded towards zero; bool is 0 or 1, and all but 0 is true. The gradient flows through from f32 to
/// bf16 and back. Throws: TapeError when a tape records x and the result would be i64 or bool, which have no gradient:
/// pass stop_gradient(x); ValueError for a float outside the range of i64.
Tensor to(const Tensor& x, Dtype dtype);

}  // namespace temper
