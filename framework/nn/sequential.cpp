#include <temper/nn/sequential.hpp>

#include <typeinfo>

#include <temper/nn/activation.hpp>
#include <temper/nn/linear.hpp>
#include <temper/nn/norm.hpp>
#include <temper/nn/pool.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/nn/observer_internal.hpp"

namespace temper::nn {

namespace {

/// The layer as an L if that is its exact type, not a derived class; else null.
template <class L>
const L* exactly(const Layer& layer) {
  return typeid(layer) == typeid(L) ? static_cast<const L*>(&layer) : nullptr;
}

/// The output of two neighbouring layers by one fused operation; undefined where there is none for them.
Tensor fused(const Layer& first, const Layer& second, const Tensor& x) {
  if (exactly<ReLU>(first) != nullptr) {
    if (const auto* pool = exactly<MaxPool2d>(second)) return pool->relu(x);
  } else if (const auto* linear = exactly<Linear>(first)) {
    if (exactly<ReLU>(second) != nullptr) return linear->relu(x);
    if (const auto* gelu = exactly<GELU>(second)) return linear->gelu(x, gelu->form());
    if (exactly<SiLU>(second) != nullptr) return linear->silu(x);
  } else if (exactly<ReLU>(second) != nullptr) {
    if (const auto* norm = exactly<BatchNorm2d>(first)) return norm->relu(x);
    if (const auto* pool = exactly<MaxPool2d>(first)) return pool->relu(x);
  }
  return {};
}

}  // namespace

const Layer& Sequential::operator[](std::size_t index) const {
  if (index >= layers_.size()) fail<ValueError>("sequential: layer {} of {}", index, layers_.size());
  return *layers_[index];
}

void Sequential::add(std::unique_ptr<Layer> layer) {
  if (layer == nullptr) fail<ValueError>("sequential: layer {} is a null pointer", layers_.size());
  layers_.push_back(std::move(layer));
}

void Sequential::replace(std::size_t index, std::unique_ptr<Layer> layer) {
  if (index >= layers_.size()) fail<ValueError>("sequential: layer {} of {}", index, layers_.size());
  if (layer == nullptr) fail<ValueError>("sequential: layer {} is a null pointer", index);
  layers_[index] = std::move(layer);
}

void Sequential::throw_other_type(std::size_t index) const {
  fail<ValueError>("sequential: layer {} is {}, asked for as something else", index, (*this)[index].description());
}

void Sequential::members(Members& members) const {
  for (std::size_t i = 0; i < layers_.size(); ++i) members(std::to_string(i), *layers_[i]);
}

Tensor Sequential::forward(const Tensor& x) const {
  Tensor y = x;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    // An observer is shown every layer's own output, which fused operations do not compute.
    if (i + 1 < layers_.size() && !observed()) {
      if (const Tensor both = fused(*layers_[i], *layers_[i + 1], y); both.defined()) {
        y = both;
        ++i;
        continue;
      }
    }
    y = (*layers_[i])(y);
  }
  return y;
}

}  // namespace temper::nn
