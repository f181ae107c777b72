#pragma once

#include <array>

#include <temper/core/random.hpp>

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// Dropout: keeps an element with probability 1 - p, divided by 1 - p, and sets the others to 0.
struct Dropping {
  Dropping() = default;
  Dropping(const detail::RandomStream& stream, double p);

  std::array<std::uint32_t, 2> key{}, nonce{};
  float threshold = 0.0f;  ///< of 24 random bits; 0 keeps everything
  float scale = 1.0f;
};

/// y = x / (1 - p) for the elements that are kept, each with probability 1 - p, else 0. Whether element i is kept is a
/// function of the stream and of i alone, so the backward is the same function of dy. Word i / 16 % 4 of counter
/// 16 * (i / 64) + i % 16 decides: in this order vectors of any width are filled without shuffling.
template <class T>
void dropout(const detail::RandomStream& stream, double p, const T* x, T* y, Index n);

}  // namespace temper::kernels
