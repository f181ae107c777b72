#include <temper/models/gpt/cache.hpp>

#include <algorithm>

#include <temper/autograd/ops/attention.hpp>
#include <temper/autograd/ops/cast.hpp>
#include <temper/autograd/ops/shape.hpp>

#include "framework/core/format_internal.hpp"

namespace temper::models {

GptCache::GptCache(const GptConfig& config) : config_(config) {
  const Shape shape = {config.heads, config.context, config.width / config.heads};
  for (std::int64_t i = 0; i < config.layers; ++i) {
    keys_.push_back(zeros(shape));
    values_.push_back(zeros(shape));
  }
}

void GptCache::clear() {
  size_ = 0;
  // Attention weighs the positions after size_ with 0, and 0 * NaN is NaN: old values must not stay.
  for (Tensor& keys : keys_) keys.fill(0.0f);
  for (Tensor& values : values_) values.fill(0.0f);
}

void GptCache::check(const GptConfig& config) const {
  if (config.layers != config_.layers || config.heads != config_.heads || config.width != config_.width ||
      config.context != config_.context) {
    fail<ValueError>("Gpt: a cache for {} layers, {} heads, width {}, context {}, the model has {}, {}, {}, {}",
                     config_.layers, config_.heads, config_.width, config_.context, config.layers, config.heads,
                     config.width, config.context);
  }
}

Tensor GptCache::attend(std::size_t layer, const Tensor& qkv) {
  const std::int64_t count = qkv.size(0), heads = config_.heads, features = config_.width / heads;
  const Tensor parts = permute(reshape(to(qkv, Dtype::f32), {count, 3, heads, features}), {1, 2, 0, 3});
  const auto part = [&](std::int64_t i) { return reshape(slice(parts, 0, i, i + 1), {heads, count, features}); };
  const auto append = [&](Tensor& cached, const Tensor& added) {
    for (std::int64_t head = 0; head < heads; ++head) {
      std::copy_n(added.data<float>() + head * count * features, count * features,
                  cached.mutable_data<float>() + (head * config_.context + size_) * features);
    }
  };
  append(keys_[layer], part(1));
  append(values_[layer], part(2));
  // Attends to the whole buffer and masks its unused rest: every token then has the same shapes, for which the kernels
  // are compiled once.
  Tensor mask = empty({count, config_.context}, Dtype::boolean);
  bool* visible = mask.mutable_data<bool>();
  for (std::int64_t t = 0; t < count; ++t, visible += config_.context) {
    std::fill_n(std::fill_n(visible, size_ + t + 1, true), config_.context - size_ - t - 1, false);
  }
  const Tensor y = scaled_dot_product_attention(part(0), keys_[layer], values_[layer], {.mask = mask});
  return reshape(transpose(y, 0, 1), {count, config_.width});
}

}  // namespace temper::models
