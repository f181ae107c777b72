#pragma once

#include <cstdint>

#include <temper/autograd/ops/spatial.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper {

// Where tokens stand, as constants: to add to embeddings, or to attention's scores. All throw: ValueError for sizes
// below 0 and options out of range.

/// Feature 2 i of position p is sin(p / base^(2 i / features)), feature 2 i + 1 the cosine: [positions, features] f32,
/// computed in f64. `features` is even. Source: Vaswani et al., "Attention is all you need" (2017).
Tensor sinusoidal_positions(std::int64_t positions, std::int64_t features, double base = 10000.0);
/// The same of the places of an image, [size.h, size.w, features]: the first half of the features says the row, the
/// second the column. `features` is a multiple of 4.
Tensor sinusoidal_positions(Pair2 size, std::int64_t features, double base = 10000.0);

/// What ALiBi adds to the scores: -slope times the distance of query and key, [heads, queries, keys] f32, for
/// AttentionOptions::bias. The last query stands at the last key. The slopes of n heads are 2^(-8 / n), 2^(-16 / n)
/// ... where n is a power of 2; else those of the power below, then every second one of the power above. Source: Press,
/// Smith, Lewis, "Train short, test long" (2022).
Tensor alibi_bias(std::int64_t heads, std::int64_t queries, std::int64_t keys);

struct RelativeBucketOptions {
  std::int64_t buckets = 32;        ///< half of them for keys behind the query when bidirectional
  std::int64_t max_distance = 128;  ///< all from here on share the last bucket
  bool bidirectional = true;        ///< else keys behind the query are in bucket 0
};
/// The bucket of each distance from query to key, [queries, keys] i64, the ids of a table [buckets, heads] whose rows
/// are added to the scores: near distances have a bucket each, far ones share them by their logarithm. Both begin at
/// position 0. Source: Raffel et al., "Exploring the limits of transfer learning with a unified text-to-text
/// transformer" (2020).
Tensor relative_position_buckets(std::int64_t queries, std::int64_t keys, const RelativeBucketOptions& options = {});

/// The row of a table [(2 h - 1)(2 w - 1), heads] for each pair of places in a window of h x w: [h w, h w] i64, by the
/// distance of their rows and columns. Source: Liu et al., "Swin transformer" (2021).
Tensor window_position_index(Pair2 window);

}  // namespace temper
