#include <temper/nn/bf16.hpp>

#include <algorithm>
#include <vector>

#include <temper/autograd/ops/cast.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/nn/linear.hpp>

#include "framework/kernels/onednn_version.hpp"

namespace temper::nn {

bool bf16_supported() { return kernels::has_bf16(); }

void to_bf16(const Module& model) {
  const NoTape unrecorded;
  std::vector<Parameter> adapters;
  for (const Child& child : model.children()) {
    const auto* layer = dynamic_cast<const Linear*>(child.module);
    if (layer != nullptr && layer->low_rank) adapters.insert(adapters.end(), {layer->low_rank->a, layer->low_rank->b});
  }
  for (Parameter& parameter : model.parameters()) {
    const bool wide = std::ranges::any_of(adapters, [&](const Parameter& each) { return each.same(parameter); });
    const bool narrow = parameter.role() == Role::weight || parameter.role() == Role::embedding;
    if (narrow && !wide) parameter.set_value(to(parameter.value(), Dtype::bf16));
  }
}

}  // namespace temper::nn
