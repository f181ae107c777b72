#pragma once

#include <temper/autograd/ops/embedding.hpp>
#include <temper/nn/module.hpp>

namespace temper::nn {

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

}  // namespace temper::nn
