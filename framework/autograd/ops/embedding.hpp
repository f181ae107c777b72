#pragma once

#include <cstdint>
#include <optional>

#include <temper/autograd/parameter.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper {

struct EmbeddingOptions {
  std::optional<std::int64_t> padding = {};  ///< the id that pads short sequences: its row gets no gradient
};

/// Row ids[i] of weight for every id: ids [...] i64, weight [V, D] f32 or bf16, result [..., D] of its dtype. The
/// gradient of rows that occur several times adds up. Throws: ShapeError for other shapes or dtypes; ValueError for an
/// id outside the V rows.
Tensor embedding(const Tensor& ids, const Tensor& weight, const EmbeddingOptions& options = {});
/// The gradient of a sparse parameter is one of the rows in ids.
Tensor embedding(const Tensor& ids, const Parameter& weight, const EmbeddingOptions& options = {});

}  // namespace temper
