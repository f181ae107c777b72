#pragma once

#include <memory>
#include <utility>
#include <vector>

#include <temper/nn/module.hpp>

namespace temper::nn {

/// Layers applied one after the other; they are named "0", "1", ... as in PyTorch. Linear with ReLU, GELU or SiLU after
/// it, and ReLU with BatchNorm2d before it or MaxPool2d on either side, are computed together in fewer passes over
/// memory; derived classes are not.
class Sequential : public Layer {
 public:
  Sequential() = default;
  template <std::derived_from<Layer>... Layers>
  explicit Sequential(Layers... layers) {
    layers_.reserve(sizeof...(layers));
    (add(std::move(layers)), ...);
  }

  /// Appends a layer.
  template <std::derived_from<Layer> L>
  void add(L layer) {
    layers_.push_back(std::make_unique<L>(std::move(layer)));
  }

  std::size_t size() const { return layers_.size(); }
  /// Throws: ValueError when there is no such layer.
  const Layer& operator[](std::size_t index) const;

  void members(Members& members) const override;
  std::string description() const override { return "Sequential"; }

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  std::vector<std::unique_ptr<Layer>> layers_;
};

}  // namespace temper::nn
