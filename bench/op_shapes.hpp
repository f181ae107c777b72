#pragma once

// The shapes at which single operations are timed. C++17, as LibTorch's side includes it too.

namespace temper::bench::op_shapes {

inline constexpr long tokens = 1024, width = 768;               // activations of a transformer: 4 sequences of 256
inline constexpr long hidden = 4 * width;                       // features of its feed-forward part
inline constexpr long attention_rows = 12288, attention = 256;  // attention scores of these sequences
inline constexpr long heads = 48, head_width = 64;              // 4 sequences of 12 heads: heads * attention rows
inline constexpr long predictions = 512, vocabulary = 32000;
inline constexpr long images = 64, side = 14, in = 32, out = 64;  // a convolution of 3 x 3 with padding
inline constexpr long largest = predictions * vocabulary;

}  // namespace temper::bench::op_shapes
