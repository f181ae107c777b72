#pragma once

#include <string>

#include <temper/autograd/ops/spatial.hpp>

namespace temper::nn {

/// "3" or "3x5"
inline std::string text(Pair2 pair) {
  return pair.h == pair.w ? std::to_string(pair.h) : std::to_string(pair.h) + "x" + std::to_string(pair.w);
}

}  // namespace temper::nn
