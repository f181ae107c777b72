#pragma once

#include <temper/autograd/ops/embedding.hpp>
#include <temper/autograd/ops/segment.hpp>
#include <temper/nn/module.hpp>

namespace temper::nn {

struct EmbeddingOptions {
  std::optional<std::int64_t> padding = {};  ///< the id that pads short sequences: its row gets no gradient
  bool sparse = false;                       ///< the gradient is one of rows; see Parameter::make_sparse
};

/// A vector for each id: ids [...] i64 to [..., D]. Parameter weight [count, D], standard normal as in PyTorch; the row
/// of the padding id is initialized to zeros and gets no gradient.
class Embedding : public Layer {
 public:
  /// Throws: ValueError unless both sizes are positive, and for a padding id outside 0 to count - 1.
  Embedding(std::int64_t count, std::int64_t features, EmbeddingOptions options = {});

  void members(Members& members) const override;
  std::string description() const override;

  Parameter weight;

 protected:
  Tensor forward(const Tensor& ids) const override;

 private:
  EmbeddingOptions options_;
};

struct EmbeddingBagOptions {
  BagMode mode = BagMode::mean;
  std::optional<std::int64_t> padding = {};  ///< an id that counts as not there, and gets no gradient
  bool sparse = false;                       ///< the gradient is one of rows; see Parameter::make_sparse
};

/// A vector for each bag of ids, the mean, sum or largest of their rows: ids [bags, n] i64 to [bags, D]; or ids [N]
/// with the offsets at which bags begin. Parameter weight as Embedding's.
class EmbeddingBag : public Layer {
 public:
  /// Throws: as Embedding's.
  EmbeddingBag(std::int64_t count, std::int64_t features, EmbeddingBagOptions options = {});

  using Layer::operator();
  Tensor operator()(const Tensor& ids, const Tensor& offsets) const;
  void members(Members& members) const override;
  std::string description() const override;

  Parameter weight;

 protected:
  Tensor forward(const Tensor& ids) const override;

 private:
  EmbeddingBagOptions options_;
};

}  // namespace temper::nn
