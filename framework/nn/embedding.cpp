#include <temper/nn/embedding.hpp>

#include <temper/autograd/ops/embedding.hpp>

#include "framework/core/format_internal.hpp"

namespace temper::nn {

Embedding::Embedding(std::int64_t count, std::int64_t features) {
  if (count < 1 || features < 1) {
    fail<ValueError>("Embedding: {} ids and {} features, expected at least 1 of each", count, features);
  }
  weight = Parameter(normal({count, features}), Role::embedding);
}

void Embedding::members(Members& members) const { members("weight", weight); }

std::string Embedding::description() const {
  return fmt::format("Embedding({}, {})", weight.shape()[0], weight.shape()[1]);
}

Tensor Embedding::forward(const Tensor& ids) const { return embedding(ids, weight); }

}  // namespace temper::nn
