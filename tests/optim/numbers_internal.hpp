#pragma once

#include <array>
#include <cmath>
#include <cstdint>

/// Numbers between -1 and 1 with magnitudes over six decades, the same on every machine.
class Numbers {
 public:
  float operator()() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    const auto mantissa = static_cast<float>(static_cast<std::int32_t>(state_ >> 40) - (1 << 23));
    return mantissa * powers_[(state_ >> 30) % 20];
  }

 private:
  std::uint64_t state_ = 1;
  std::array<float, 20> powers_ = [] {
    std::array<float, 20> powers;
    for (int i = 0; i < 20; ++i) powers[static_cast<std::size_t>(i)] = std::ldexp(1.0f, -23 - i);
    return powers;
  }();
};
