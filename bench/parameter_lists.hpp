#pragma once

// The parameter shapes that optimizers are timed on. C++17, as LibTorch's side includes it too.

#include <cstdint>
#include <vector>

namespace temper::bench {

using Shapes = std::vector<std::vector<std::int64_t>>;

inline constexpr std::int64_t one_large = 50'000'000;

/// The 148 tensors of GPT-2 124M: 12 blocks of 768, a vocabulary of 50,257 tied to the output, 1,024 positions.
inline Shapes gpt2_shapes() {
  const std::int64_t d = 768;
  Shapes shapes = {{50257, d}, {1024, d}};
  for (int block = 0; block < 12; ++block) {
    const Shapes parts = {{d}, {d}, {3 * d, d}, {3 * d}, {d, d},     {d},   // norm, attention
                          {d}, {d}, {4 * d, d}, {4 * d}, {d, 4 * d}, {d}};  // norm, feed-forward
    shapes.insert(shapes.end(), parts.begin(), parts.end());
  }
  shapes.push_back({d});
  shapes.push_back({d});
  return shapes;
}

/// Many small tensors, which are slow to update one by one.
inline Shapes many_small_shapes() { return Shapes(4000, {768}); }

}  // namespace temper::bench
