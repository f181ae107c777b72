#pragma once

#include <memory>
#include <utility>
#include <vector>

#include <temper/nn/module.hpp>

namespace temper::nn {

/// Layers applied one after the other; they are named "0", "1", ... as in PyTorch. Linear with ReLU, GELU or SiLU after
/// it, and ReLU with BatchNorm2d before it or MaxPool2d on either side, are fused, for fewer passes over memory;
/// derived classes are not.
///
/// Constructing a Sequential from a single Sequential moves it, by the language's rules: its layers are named "0", "1".
/// add() nests one in another: "0.0", "0.1".
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
    add(std::make_unique<L>(std::move(layer)));
  }
  /// Throws: ValueError when there is none.
  void add(std::unique_ptr<Layer> layer);

  std::size_t size() const { return layers_.size(); }
  /// Throws: ValueError when there is no such layer.
  const Layer& operator[](std::size_t index) const;
  Layer& operator[](std::size_t index) { return const_cast<Layer&>(std::as_const(*this)[index]); }
  /// The layer as an L. Throws: ValueError when there is no such layer, or it is of another type.
  template <std::derived_from<Layer> L>
  L& at(std::size_t index) {
    if (auto* layer = dynamic_cast<L*>(&(*this)[index])) return *layer;
    throw_other_type(index);
  }
  /// Replaces a layer by another. The old one is destroyed; it can be moved into the new one:
  /// `model.replace(2, Adapter(std::move(model.at<nn::Linear>(2))))`. Make the optimizer afterwards.
  /// Throws: ValueError when there is no such layer.
  template <std::derived_from<Layer> L>
  void replace(std::size_t index, L layer) {
    replace(index, std::make_unique<L>(std::move(layer)));
  }
  void replace(std::size_t index, std::unique_ptr<Layer> layer);

  void members(Members& members) const override;
  std::string description() const override { return "Sequential"; }

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  [[noreturn]] void throw_other_type(std::size_t index) const;

  std::vector<std::unique_ptr<Layer>> layers_;
};

}  // namespace temper::nn
