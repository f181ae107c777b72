#include <temper/nn/embedding.hpp>

#include <algorithm>

#include "framework/core/format_internal.hpp"

namespace temper::nn {

namespace {

/// A table of vectors, standard normal but for that of the padding id.
Parameter table(const char* name, std::int64_t count, std::int64_t features, std::optional<std::int64_t> padding,
                bool sparse) {
  if (count < 1 || features < 1) {
    fail<ValueError>("{}: {} ids and {} features, expected at least 1 of each", name, count, features);
  }
  if (padding && (*padding < 0 || *padding >= count)) {
    fail<ValueError>("{}: padding {}, expected one of the {} ids", name, *padding, count);
  }
  Tensor rows = normal({count, features});
  if (padding) std::ranges::fill(rows.rows(*padding, *padding + 1).mutable_values<float>(), 0.0f);
  Parameter weight(rows, Role::embedding);
  if (sparse) weight.make_sparse();
  return weight;
}

std::string described(const char* name, const Parameter& weight, std::optional<std::int64_t> padding) {
  return fmt::format("{}({}, {}{}{})", name, weight.shape()[0], weight.shape()[1],
                     padding ? fmt::format(", padding {}", *padding) : "", weight.sparse() ? ", sparse" : "");
}

}  // namespace

Embedding::Embedding(std::int64_t count, std::int64_t features, EmbeddingOptions options)
    : weight(table("Embedding", count, features, options.padding, options.sparse)), options_(options) {}

void Embedding::members(Members& members) const { members("weight", weight); }

std::string Embedding::description() const { return described("Embedding", weight, options_.padding); }

Tensor Embedding::forward(const Tensor& ids) const { return embedding(ids, weight, {.padding = options_.padding}); }

EmbeddingBag::EmbeddingBag(std::int64_t count, std::int64_t features, EmbeddingBagOptions options)
    : weight(table("EmbeddingBag", count, features, options.padding, options.sparse)), options_(options) {}

void EmbeddingBag::members(Members& members) const { members("weight", weight); }

std::string EmbeddingBag::description() const { return described("EmbeddingBag", weight, options_.padding); }

Tensor EmbeddingBag::forward(const Tensor& ids) const { return (*this)(ids, Tensor()); }

Tensor EmbeddingBag::operator()(const Tensor& ids, const Tensor& offsets) const {
  return embedding_bag(ids, weight, offsets, {.mode = options_.mode, .padding = options_.padding});
}

}  // namespace temper::nn
