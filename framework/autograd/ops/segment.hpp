#pragma once

#include <cstdint>
#include <optional>

#include <temper/autograd/parameter.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper {

// What consecutive rows have in common: x [N, ...] f32 or bf16, offsets i64 [segments + 1], which do not fall; result
// [segments, ...]. Segment s is rows offsets[s] to offsets[s + 1] - 1; one of no row gives 0. Sums are f32. All throw:
// ShapeError when the shapes or the dtypes do not fit; ValueError for other offsets.

Tensor segment_sum(const Tensor& x, const Tensor& offsets);
Tensor segment_mean(const Tensor& x, const Tensor& offsets);
/// The largest and smallest numbers; NaN when there is one. Equal ones share the gradient.
Tensor segment_max(const Tensor& x, const Tensor& offsets);
Tensor segment_min(const Tensor& x, const Tensor& offsets);

/// The offsets of rows that are sorted by the number of their segment: ids i64 [N], 0 to segments - 1, which do not
/// fall. Throws: ValueError for other ids.
Tensor segment_offsets(const Tensor& ids, std::int64_t segments);

/// What an embedding_bag makes of its rows.
enum class BagMode { mean, sum, max };

struct EmbeddingBagOptions {
  BagMode mode = BagMode::mean;
  Tensor per_sample_weights =
      {};  ///< f32, of the shape of ids: what each row is multiplied by; with BagMode::sum alone
  bool include_last_offset = false;          ///< offsets end with the number of ids
  std::optional<std::int64_t> padding = {};  ///< an id that counts as not there, and gets no gradient
};

/// Rows of a table, summed up bag by bag without existing one by one: ids i64 [N], weight [V, D] f32 or bf16, result
/// [bags, D]. Bag b begins at offsets[b], i64, and reaches to where the next one begins, the last to the end; one of no
/// row gives 0. Instead of offsets ids may be [bags, n]. Throws: ShapeError when the shapes or the dtypes do not fit;
/// ValueError for an id outside the V rows, for offsets that fall or are outside the ids, and for weights with another
/// mode.
Tensor embedding_bag(const Tensor& ids, const Tensor& weight, const Tensor& offsets = {},
                     const EmbeddingBagOptions& options = {});
/// The gradient of a sparse parameter is one of the rows in ids.
Tensor embedding_bag(const Tensor& ids, const Parameter& weight, const Tensor& offsets = {},
                     const EmbeddingBagOptions& options = {});

}  // namespace temper
