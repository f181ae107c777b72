// Attention, and the rotation of its queries and keys.

#include <limits>

#include <temper/autograd/ops/attention.hpp>
#include <temper/autograd/ops/shape.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/io/onnx/export_internal.hpp"

namespace temper::detail::onnx {

namespace {

/// Whether query t sees key s by causality and window alone: bool [T, S]; none when it sees all.
Value visible_pairs(const Step& s, std::int64_t queries, std::int64_t keys) {
  const bool causal = s.integer("causal") != 0;
  const Integers window = s.integers("window");
  if (!causal && window[0] < 0 && window[1] < 0) return {};
  const std::string key = fmt::format("seen {} {} {} {} {}", queries, keys, causal, window[0], window[1]);
  return s.graph().shared(key, [&] {
    Tensor table = empty({queries, keys}, Dtype::boolean);
    bool* to = table.mutable_data<bool>();
    for (std::int64_t t = 0; t < queries; ++t) {
      for (std::int64_t at = 0; at < keys; ++at) {
        *to++ =
            !(causal && at > t) && !(window[0] >= 0 && at < t - window[0]) && !(window[1] >= 0 && at > t + window[1]);
      }
    }
    return s.graph().constant(table);
  });
}

/// Operands of an attention: q [..., H, T, D], k and v [..., Hkv, S, D].
struct Operands {
  Value q, k, v, bias;
  Sizes q_shape, k_shape, v_shape;
};

Sizes with_axes(Sizes shape, const Integers& heads) {
  Sizes all(shape.begin(), shape.end() - 3);
  for (const std::int64_t head : heads) all.push_back({head, 0});
  all.insert(all.end(), shape.end() - 2, shape.end());
  return all;
}

Value attention(const Step& s, const Operands& in) {
  Graph& graph = s.graph();
  const std::int64_t queries = s.fixed(in.q_shape.end()[-2]), keys = s.fixed(in.k_shape.end()[-2]);
  const auto rank = static_cast<int>(in.q_shape.size());
  // Of grouped queries, those that share keys and values get an axis of their own.
  const bool grouped = rank > 2 && !(in.q_shape.end()[-3] == in.k_shape.end()[-3]);
  const std::int64_t heads = grouped ? s.fixed(in.q_shape.end()[-3]) : 1,
                     kv_heads = grouped ? s.fixed(in.k_shape.end()[-3]) : 1;
  const auto split = [&](const Value& x, const Sizes& shape, std::int64_t shared) {
    return grouped ? reshape(x, with_axes(shape, {kv_heads, shared})) : x;
  };
  const Value q = split(in.q, in.q_shape, heads / kv_heads), k = split(in.k, in.k_shape, 1),
              v = split(in.v, in.v_shape, 1);
  Integers order;
  for (int i = 0; i < rank + grouped; ++i) order.push_back(i);
  std::swap(order.end()[-1], order.end()[-2]);
  Value scores = apply("MatMul", q * s.number("scale"), transpose(k, order));
  Sizes score_shape = in.q_shape;
  score_shape.back() = {keys, 0};
  if (grouped) scores = reshape(scores, score_shape);
  if (in.bias) scores = scores + in.bias;

  Value visible = visible_pairs(s, queries, keys);
  const auto also = [&](const Value& more) { visible = visible ? apply("And", visible, more) : more; };
  if (const Value mask = s.value("mask")) also(mask);
  const bool may_be_blind = s.integer("empty_rows") == static_cast<std::int64_t>(EmptyRows::zero);
  if (may_be_blind && in.bias) also(apply("Greater", in.bias, graph.number(-std::numeric_limits<float>::infinity())));
  if (visible) scores = graph.node("Where", {visible, scores, graph.number(std::numeric_limits<float>::lowest())});
  Value shares = graph.node("Softmax", {scores}, {{"axis", std::int64_t{-1}}});
  if (visible && may_be_blind) shares = graph.node("Where", {visible, shares, graph.number(0.0f)});
  if (!grouped) return apply("MatMul", shares, v);
  return apply("MatMul", reshape(shares, with_axes(score_shape, {kv_heads, heads / kv_heads})), v);
}

Value dot_product_attention(const Step& s) {
  if (s.constant("offsets").defined()) refuse(s.name(), "has no counterpart in ONNX");
  return reshape(attention(s, {s.in(0), s.in(1), s.in(2), s.in(3), s.shape_of(0), s.shape_of(1), s.shape_of(2)}),
                 s.shape());
}

/// Of one projection [N, T, 3 * heads * D].
Value self_attention(const Step& s) {
  const Sizes shape = s.shape_of();
  const std::int64_t heads = s.integer("heads"), width = s.fixed(shape[2]) / (3 * heads);
  const Sizes part = {shape[0], {heads, 0}, shape[1], {width, 0}};
  const Value parts = transpose(reshape(s.in(), {shape[0], shape[1], {3, 0}, {heads, 0}, {width, 0}}), {2, 0, 3, 1, 4});
  const std::vector<Value> three = s.graph().nodes("Split", {parts}, {{"axis", std::int64_t{0}}}, 3);
  const auto operand = [&](std::size_t i) { return apply("Squeeze", three[i], s.graph().integers({0})); };
  const Value y = attention(s, {operand(0), operand(1), operand(2), s.in(1), part, part, part});
  return reshape(transpose(y, {0, 2, 1, 3}), s.shape());
}

Value rotate(const Step& s) {
  Graph& graph = s.graph();
  const std::int64_t pairs = s.constant("table").size(2), rank = s.rank(), axis = s.integer("axis"),
                     width = s.tensor().size(-1), first = s.integer("offset");
  const std::int64_t tokens = s.fixed(s.shape()[static_cast<std::size_t>(axis)]);
  // The rows of the tokens, beside the axes of x.
  Sizes broadcast(static_cast<std::size_t>(rank), Size{1, 0});
  broadcast[static_cast<std::size_t>(axis)] = {tokens, 0};
  broadcast.back() = {pairs, 0};
  const Value table = s.value("table"), places = s.value("positions");
  const auto rows = [&](std::int64_t which) {
    const std::int64_t begin = places ? 0 : first, end = places ? s.constant("table").size(1) : first + tokens;
    Value part = graph.node("Slice", {table, graph.integers({which, begin}), graph.integers({which + 1, end})});
    if (places) part = graph.node("Gather", {part, places}, {{"axis", std::int64_t{1}}});
    return reshape(part, broadcast);
  };
  const Value cosines = rows(0), sines = rows(1), x = s.in();
  const auto features = [&](std::int64_t begin, std::int64_t end, std::int64_t step) {
    return graph.node(
        "Slice", {x, graph.integers({begin}), graph.integers({end}), graph.integers({-1}), graph.integers({step})});
  };
  const bool interleaved = s.integer("interleaved") != 0;
  const Value a = interleaved ? features(0, 2 * pairs, 2) : features(0, pairs, 1);
  const Value b = interleaved ? features(1, 2 * pairs, 2) : features(pairs, 2 * pairs, 1);
  std::vector<Value> parts = {a * cosines - b * sines, b * cosines + a * sines};
  if (interleaved) {
    for (Value& part : parts) part = apply("Unsqueeze", part, graph.integers({rank}));
    const Value both = graph.node("Concat", parts, {{"axis", std::int64_t{-1}}});
    Sizes shape = s.shape();
    shape.back() = {2 * pairs, 0};
    parts = {reshape(both, shape)};
  }
  if (2 * pairs < width) parts.push_back(features(2 * pairs, width, 1));
  return parts.size() == 1 ? parts.front() : graph.node("Concat", parts, {{"axis", std::int64_t{-1}}});
}

}  // namespace

void add_attention(Emitters& emitters) {
  emitters["scaled_dot_product_attention"] = emitters["packed_attention"] = dot_product_attention;
  emitters["self_attention"] = self_attention;
  emitters["rotary_embedding"] = rotate;
}

}  // namespace temper::detail::onnx
