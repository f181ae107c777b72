#include <temper/nn/attention.hpp>

#include <cmath>

#include <temper/autograd/ops/logical.hpp>
#include <temper/autograd/ops/matmul.hpp>
#include <temper/autograd/ops/shape.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/nn/optional_internal.hpp"

namespace temper::nn {

namespace {

std::int64_t checked(std::int64_t features, const MultiheadAttentionOptions& options) {
  if (features < 1 || options.heads < 1 || features % options.heads != 0) {
    fail<ValueError>("MultiheadAttention: {} features in {} heads, expected a multiple", features, options.heads);
  }
  if (!(options.dropout >= 0.0 && options.dropout < 1.0)) {
    fail<ValueError>("MultiheadAttention: dropout is {}, expected from 0 to below 1", options.dropout);
  }
  return features;
}

/// `visible` as [N | 1, heads | 1, T | 1, S | 1]: each axis has size 1 or that of the scores.
Tensor with_four_axes(const Tensor& visible, const Shape& scores) {
  if (visible.dtype() == Dtype::boolean && (visible.rank() == 2 || visible.rank() == 4)) {
    Shape shape = visible.shape();
    while (shape.rank() < 4) shape = shape.with_axis(0, 1);
    bool fits = true;
    for (int axis = 0; axis < 4; ++axis) fits = fits && (shape[axis] == 1 || shape[axis] == scores[axis]);
    if (fits) return visible.view(shape);
  }
  fail<ShapeError>("MultiheadAttention: visible {} {}, expected bool [T, S] or [N, heads, T, S], here [{}, {}] or {}",
                   visible.dtype(), visible.shape(), scores[2], scores[3], scores);
}

/// Both masks combined to one for scores [N, heads, T, S]; undefined when there is none.
Tensor combined(const AttentionMasks& masks, const Shape& scores) {
  const Tensor& keys = masks.visible_keys;
  if (keys.defined() && (keys.dtype() != Dtype::boolean || !(keys.shape() == Shape{scores[0], scores[3]}))) {
    fail<ShapeError>("MultiheadAttention: visible_keys {} {}, expected bool [N, S], here [{}, {}]", keys.dtype(),
                     keys.shape(), scores[0], scores[3]);
  }
  if (!masks.visible.defined()) return keys.defined() ? keys.view({scores[0], 1, 1, scores[3]}) : Tensor();
  const Tensor visible = with_four_axes(masks.visible, scores);
  if (!keys.defined()) return visible;
  return logical_and(visible, keys.view({scores[0], 1, 1, scores[3]}));
}

/// projected[i] of [count, ...], sharing memory.
Tensor part(const Tensor& projected, std::int64_t i) {
  return reshape(slice(projected, 0, i, i + 1), projected.shape().without_axis(0));
}

}  // namespace

MultiheadAttention::MultiheadAttention(std::int64_t features, MultiheadAttentionOptions options)
    : out_proj(checked(features, options), features, {.bias = options.bias}), options_(options) {
  // Glorot's uniform bound for [3E, E].
  const auto bound = static_cast<float>(std::sqrt(6.0 / static_cast<double>(4 * features)));
  in_proj_weight = Parameter(uniform({3 * features, features}, -bound, bound), Role::weight);
  if (!options.bias) return;
  in_proj_bias = Parameter(zeros({3 * features}), Role::bias);
  out_proj.bias = Parameter(zeros({features}), Role::bias);
}

void MultiheadAttention::members(Members& members) const {
  members("in_proj_weight", in_proj_weight);
  members("in_proj_bias", in_proj_bias);
  members("out_proj", out_proj);
}

std::string MultiheadAttention::description() const {
  return fmt::format("MultiheadAttention({}, {} heads{})", in_proj_weight.shape()[1], options_.heads,
                     options_.causal ? ", causal" : "");
}

void MultiheadAttention::check(const Tensor& x) const {
  const std::int64_t features = in_proj_weight.shape()[1];
  if (x.rank() != 3 || x.size(2) != features) {
    fail<ShapeError>("MultiheadAttention: input {}, expected [N, T, {}]", x.shape(), features);
  }
}

/// Projections first to first + count of query, key and value: x [N, T, E] to [count, N, heads, T, E / heads].
Tensor MultiheadAttention::project(const Tensor& x, std::int64_t first, std::int64_t count) const {
  check(x);
  const std::int64_t features = in_proj_weight.shape()[1];
  const std::int64_t begin = first * features, end = (first + count) * features;
  const Tensor weight = slice(in_proj_weight, 0, begin, end);
  const Tensor bias = in_proj_bias.defined() ? slice(in_proj_bias, 0, begin, end) : Tensor();
  const Tensor y =
      reshape(linear(x, weight, bias), {x.size(0), x.size(1), count, options_.heads, features / options_.heads});
  return permute(y, {2, 0, 3, 1, 4});
}

AttentionOptions MultiheadAttention::attention_options(const Tensor& mask) const {
  return {.mask = mask, .causal = options_.causal, .dropout = options_.dropout, .empty_rows = options_.empty_rows};
}

Tensor MultiheadAttention::attend(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask) const {
  const Tensor y = scaled_dot_product_attention(q, k, v, attention_options(mask));
  return out_proj(flatten(permute(y, {0, 2, 1, 3}), 2));
}

Tensor MultiheadAttention::forward(const Tensor& x) const { return attend_to_itself(x, Tensor()); }

Tensor MultiheadAttention::attend_to_itself(const Tensor& x, const Tensor& mask) const {
  check(x);
  const Tensor bias = optional(in_proj_bias);
  return out_proj(self_attention(linear(x, in_proj_weight, bias), options_.heads, attention_options(mask)));
}

Tensor MultiheadAttention::operator()(const Tensor& queries, const Tensor& tokens, const AttentionMasks& masks) const {
  check(queries);
  check(tokens);
  const Tensor mask = combined(masks, {queries.size(0), options_.heads, queries.size(1), tokens.size(1)});
  if (queries.same(tokens)) return attend_to_itself(queries, mask);
  const Tensor q = project(queries, 0, 1), kv = project(tokens, 1, 2);
  return attend(part(q, 0), part(kv, 0), part(kv, 1), mask);
}

}  // namespace temper::nn
