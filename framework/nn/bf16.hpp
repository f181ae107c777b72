#pragma once

#include <temper/nn/module.hpp>

namespace temper::nn {

/// Whether this CPU can train in bf16: whether it has instructions to multiply bf16 (AVX-512 BF16 or AMX).
bool bf16_supported();

/// Rounds a model's weights and embeddings to bf16, in which it computes from then on; biases, norm gains and adapters
/// stay f32. Call it before making the optimizer, which then keeps f32 master copies of what was rounded. Where
/// bf16_supported() is false, the model's matrix products throw a ValueError.
///
///     models::Gpt model(config);
///     nn::to_bf16(model);
///     optim::AdamW adamw(model.parameters(), options);
void to_bf16(const Module& model);

}  // namespace temper::nn
