#include <temper/nn/embedding.hpp>

#include <algorithm>

#include "framework/core/format_internal.hpp"

namespace temper::nn {

Embedding::Embedding(std::int64_t count, std::int64_t features, EmbeddingOptions options) : options_(options) {
  if (count < 1 || features < 1) {
    fail<ValueError>("Embedding: {} ids and {} features, expected at least 1 of each", count, features);
  }
  const std::optional<std::int64_t> padding = options.padding;
  if (padding && (*padding < 0 || *padding >= count)) {
    fail<ValueError>("Embedding: padding {}, expected one of the {} ids", *padding, count);
  }
  Tensor rows = normal({count, features});
  if (padding) std::ranges::fill(rows.rows(*padding, *padding + 1).mutable_values<float>(), 0.0f);
  weight = Parameter(rows, Role::embedding);
}

void Embedding::members(Members& members) const { members("weight", weight); }

std::string Embedding::description() const {
  return fmt::format("Embedding({}, {}{})", weight.shape()[0], weight.shape()[1],
                     options_.padding ? fmt::format(", padding {}", *options_.padding) : "");
}

Tensor Embedding::forward(const Tensor& ids) const { return embedding(ids, weight, options_); }

}  // namespace temper::nn
