#pragma once

#include <temper/autograd/parameter.hpp>

namespace temper::models {

/// BERT's initialization: weights and embeddings from a normal distribution, biases 0, gains of norms 1.
inline void initialize_bert(const Parameter& parameter, double deviation) {
  Tensor value = parameter.value();
  switch (parameter.role()) {
    case Role::weight:
    case Role::embedding: value.copy_from(normal(value.shape(), 0.0f, static_cast<float>(deviation))); break;
    case Role::bias: value.fill(0.0f); break;
    case Role::norm_gain: value.fill(1.0f); break;
  }
}

}  // namespace temper::models
