#include <temper/nn/bf16.hpp>

#include <temper/autograd/ops/cast.hpp>
#include <temper/autograd/tape.hpp>

#include "framework/kernels/onednn_version.hpp"

namespace temper::nn {

bool bf16_supported() { return kernels::has_bf16(); }

void to_bf16(const Module& model) {
  const NoTape unrecorded;
  for (Parameter& parameter : model.parameters()) {
    const bool narrow = parameter.role() == Role::weight || parameter.role() == Role::embedding;
    if (narrow) parameter.set_value(to(parameter.value(), Dtype::bf16));
  }
}

}  // namespace temper::nn
