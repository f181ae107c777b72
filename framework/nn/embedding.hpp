#pragma once

#include <temper/nn/module.hpp>

namespace temper::nn {

/// A vector for each id: ids [...] i64 to [..., D]. Parameter weight [count, D], standard normal as in PyTorch.
class Embedding : public Layer {
 public:
  /// Throws: ValueError unless both sizes are positive.
  Embedding(std::int64_t count, std::int64_t features);

  void members(Members& members) const override;
  std::string description() const override;

  Parameter weight;

 protected:
  Tensor forward(const Tensor& ids) const override;
};

}  // namespace temper::nn
