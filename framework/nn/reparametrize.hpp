#pragma once

#include <concepts>
#include <utility>

#include <temper/autograd/ops/weight_norm.hpp>
#include <temper/nn/module.hpp>

namespace temper::nn {

/// A layer that can be run with another tensor for its weight: nn::Linear, nn::Conv2d.
template <class L>
concept WeightedLayer = std::derived_from<L, Layer> && requires(const L& layer, const Tensor& x) {
  { layer.with_weight(x, x) } -> std::same_as<Tensor>;
  { layer.weight.value() } -> std::same_as<const Tensor&>;
};

namespace detail {
/// |v| of each place of the first axis, with sizes of 1 for the others.
Tensor lengths_of(const Tensor& v);
/// A random vector of length 1.
Tensor random_unit(std::int64_t size);
/// u and v after some steps of power iteration.
void find_singular_vectors(const Tensor& weight, Tensor u, Tensor v);
}  // namespace detail

/// A layer whose weight is a direction and a length for each output, learned apart: nn::WeightNorm(nn::Linear(3, 4)).
/// Their names are those of PyTorch's parametrizations: original0 is the length, original1 the direction. See
/// weight_norm.
template <WeightedLayer L>
class WeightNorm : public Layer {
 public:
  explicit WeightNorm(L layer)
      : layer_(std::move(layer)), length_(detail::lengths_of(layer_.weight), Role::norm_gain) {}

  void members(Members& m) const override {
    m("parametrizations.weight.original0", length_);
    m("parametrizations.weight.original1", layer_.weight);
    if (layer_.bias.defined()) m("bias", layer_.bias);
  }
  std::string description() const override { return "WeightNorm(" + layer_.description() + ")"; }

  /// The weight as it is used.
  Tensor weight() const { return weight_norm(layer_.weight, length_); }

 protected:
  Tensor forward(const Tensor& x) const override { return layer_.with_weight(x, weight()); }

 private:
  L layer_;
  Parameter length_;
};

/// A layer whose weight is divided by its largest singular value. The singular vectors are saved with it, improved in
/// training and left alone otherwise. Names are those of PyTorch's parametrizations. See spectral_norm.
template <WeightedLayer L>
class SpectralNorm : public Layer {
 public:
  explicit SpectralNorm(L layer, SpectralNormOptions options = {})
      : layer_(std::move(layer)),
        options_(options),
        u_(detail::random_unit(layer_.weight.shape()[0])),
        v_(detail::random_unit(layer_.weight.shape().numel() / layer_.weight.shape()[0])) {
    detail::find_singular_vectors(layer_.weight, u_, v_);
  }

  void members(Members& m) const override {
    m("parametrizations.weight.original", layer_.weight);
    m("parametrizations.weight.0._u", u_);
    m("parametrizations.weight.0._v", v_);
    if (layer_.bias.defined()) m("bias", layer_.bias);
  }
  std::string description() const override { return "SpectralNorm(" + layer_.description() + ")"; }

  /// The weight as it is used; in training this improves the singular vectors.
  Tensor weight() const { return spectral_norm(layer_.weight, u_, v_, options_); }

 protected:
  Tensor forward(const Tensor& x) const override { return layer_.with_weight(x, weight()); }

 private:
  L layer_;
  SpectralNormOptions options_;
  Tensor u_, v_;
};

}  // namespace temper::nn
