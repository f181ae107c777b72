#pragma once

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// Rotation of pairs of features by angles: x [outer, tokens, inner, width], the first 2 * pairs features of which are
/// rotated and the others copied. Token t has row positions[t], or first + t where that is null, of the tables
/// cosines and sines [..., pairs].
struct Rotary {
  Index outer = 1, tokens = 0, inner = 1, width = 0, pairs = 0;
  bool interleaved = false;  ///< features 2 i and 2 i + 1 are a pair, else i and i + pairs
  Index first = 0;
  const std::int64_t* positions = nullptr;
};

/// y = x rotated, or rotated back when `inverse`; in float, rounded once.
template <class T>
void rotate(const Rotary& task, const T* x, const float* cosines, const float* sines, bool inverse, T* y);

}  // namespace temper::kernels
