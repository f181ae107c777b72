#include <temper/models/language/cache.hpp>

#include <algorithm>
#include <bit>

#include <temper/autograd/ops/attention.hpp>
#include <temper/autograd/ops/cast.hpp>
#include <temper/autograd/ops/shape.hpp>

namespace temper::models {

namespace {

constexpr std::uint64_t smallest_capacity = 256;

/// Copies the rows [heads, T, features] to the places from `begin` on of [heads, capacity, features].
void write(Tensor& to, const Tensor& rows, std::int64_t begin) {
  const std::int64_t count = rows.size(1) * rows.size(2), stride = to.size(1) * to.size(2);
  for (std::int64_t head = 0; head < rows.size(0); ++head) {
    std::copy_n(rows.data<float>() + head * count, count,
                to.mutable_data<float>() + head * stride + begin * to.size(2));
  }
}

void grow(Tensor& cached, std::int64_t capacity) {
  Tensor larger = zeros({cached.size(0), capacity, cached.size(2)});
  write(larger, cached, 0);
  cached = larger;
}

}  // namespace

KeyValueCache::KeyValueCache(const CacheSizes& sizes) : sizes_(sizes) {
  const auto layers = static_cast<std::size_t>(sizes.layers);
  for (auto* list : {&keys_, &values_}) list->assign(layers, zeros({sizes.heads, 0, sizes.features}));
}

void KeyValueCache::clear() {
  size_ = 0;
  // Attention weighs the positions after size_ with 0, and 0 * NaN is NaN: old values must not stay.
  for (auto* list : {&keys_, &values_}) {
    for (Tensor& tensor : *list) tensor.fill(0.0f);
  }
}

Tensor KeyValueCache::attend(std::int64_t layer, const Tensor& queries, const Tensor& keys, const Tensor& values) {
  const std::int64_t count = keys.size(1), needed = size_ + count;
  Tensor &all_keys = keys_.at(static_cast<std::size_t>(layer)), &all_values = values_[static_cast<std::size_t>(layer)];
  if (needed > all_keys.size(1)) {
    const std::uint64_t rounded = std::bit_ceil(std::max(static_cast<std::uint64_t>(needed), smallest_capacity));
    const std::int64_t capacity = std::min(static_cast<std::int64_t>(rounded), sizes_.context);
    grow(all_keys, capacity);
    grow(all_values, capacity);
  }
  write(all_keys, to(keys, Dtype::f32), size_);
  write(all_values, to(values, Dtype::f32), size_);
  // Attends to the whole buffer and masks its unused rest: most tokens then have the same shapes, for which the kernels
  // are compiled once.
  const std::int64_t capacity = all_keys.size(1);
  Tensor mask = empty({count, capacity}, Dtype::boolean);
  bool* visible = mask.mutable_data<bool>();
  for (std::int64_t t = 0; t < count; ++t, visible += capacity) {
    std::fill_n(std::fill_n(visible, size_ + t + 1, true), capacity - size_ - t - 1, false);
  }
  const Tensor y = scaled_dot_product_attention(to(queries, Dtype::f32), all_keys, all_values, {.mask = mask});
  return reshape(transpose(y, 0, 1), {count, queries.size(0) * queries.size(2)});
}

}  // namespace temper::models
