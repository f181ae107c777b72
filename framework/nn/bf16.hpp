#pragma once

#include <temper/nn/module.hpp>

namespace temper::nn {

/// Whether this CPU trains in bf16: whether it multiplies such numbers with instructions of its own.
bool bf16_supported();

/// Rounds a model's weights and embeddings to bf16, in which it computes from then on; biases and norm gains stay f32.
/// Call it before an optimizer is made, which then keeps f32 masters of what was rounded. Where bf16_supported() is
/// false, the model's products throw a ValueError.
///
///     models::Gpt model(config);
///     nn::to_bf16(model);
///     optim::AdamW adamw(model.parameters(), options);
void to_bf16(const Module& model);

}  // namespace temper::nn
