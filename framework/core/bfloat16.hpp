#pragma once

#include <cstdint>

namespace temper {

/// A bfloat16 number: the upper half of a float.
struct BFloat16 {
  std::uint16_t bits;
};

}  // namespace temper
