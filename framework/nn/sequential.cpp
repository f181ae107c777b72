#include <temper/nn/sequential.hpp>

#include "framework/core/format_internal.hpp"

namespace temper::nn {

const Layer& Sequential::operator[](std::size_t index) const {
  if (index >= layers_.size()) fail<ValueError>("sequential: layer {} of {}", index, layers_.size());
  return *layers_[index];
}

void Sequential::members(Members& members) const {
  for (std::size_t i = 0; i < layers_.size(); ++i) members(std::to_string(i), *layers_[i]);
}

Tensor Sequential::forward(const Tensor& x) const {
  Tensor y = x;
  for (const auto& layer : layers_) y = (*layer)(y);
  return y;
}

}  // namespace temper::nn
