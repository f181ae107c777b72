#include <temper/autograd/ops/attention.hpp>

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include <temper/autograd/random.hpp>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/kernels/attention.hpp"

namespace temper {

namespace {

Shape leading_of(const Tensor& x) { return x.shape().without_axis(-1).without_axis(-1); }

/// The strides of the operands of an attention.
struct Layouts {
  kernels::AttentionLayout q, k, v, y;
};

template <class T>
kernels::ScoreOperand<T> score_operand(const char* name, const char* argument, const Tensor& x, const Shape& scores) {
  bool fits = x.rank() <= scores.rank();
  for (int back = 1; fits && back <= x.rank(); ++back) fits = x.size(-back) == 1 || x.size(-back) == scores[-back];
  if (!fits) fail<ShapeError>("{}: {} {} does not broadcast to the scores {}", name, argument, x.shape(), scores);
  kernels::ScoreOperand<T> result{.data = x.data<T>(), .leading = scores.without_axis(-1).without_axis(-1)};
  std::int64_t stride = 1;
  for (int back = 1; back <= x.rank(); ++back) {
    const std::int64_t moves = x.size(-back) == 1 ? 0 : stride;
    if (back == 1) {
      result.key_stride = moves;
    } else if (back == 2) {
      result.row_stride = moves;
    } else {
      result.strides[static_cast<std::size_t>(scores.rank() - back)] = moves;
    }
    stride *= x.size(-back);
  }
  return result;
}

/// Sets what the options say in `task`, for scores of the shape [..., T, S].
void set_options(const char* name, kernels::Attention& task, const AttentionOptions& options, const Shape& scores) {
  task.scale = options.scale.value_or(1.0f / std::sqrt(static_cast<float>(task.width)));
  task.causal = options.causal;
  const auto [left, right] = options.window;
  if (left < -1 || right < -1) fail<ValueError>("{}: window {} to {}, expected at least -1", name, left, right);
  if (left >= 0) task.left = left;
  if (right >= 0) task.right = right;
  if (options.mask.defined()) {
    detail::require(name, "mask", options.mask, Dtype::boolean);
    task.mask = score_operand<bool>(name, "mask", options.mask, scores);
  }
  if (options.bias.defined()) {
    detail::require(name, "bias", options.bias);
    task.bias = score_operand<float>(name, "bias", options.bias, scores);
  }
  if (!(options.dropout >= 0.0 && options.dropout < 1.0)) {
    fail<ValueError>("{}: dropout is {}, expected from 0 to below 1", name, options.dropout);
  }
  if (training() && options.dropout > 0.0) task.dropping = {detail::dropout_stream(), options.dropout};
}

/// Throws if there is a query that sees no key, `blind` in [..., T], and `empty_rows` does not allow that.
void require_seeing(const char* name, std::optional<std::int64_t> blind, const Shape& rows, EmptyRows empty_rows) {
  if (!blind || empty_rows == EmptyRows::zero) return;
  std::array<std::int64_t, Shape::max_rank> index{};
  for (int axis = rows.rank() - 1; axis >= 0; --axis) {
    index[static_cast<std::size_t>(axis)] = *blind % rows[axis];
    *blind /= rows[axis];
  }
  fail<ValueError>("{}: query [{}] of {} sees no key; with empty_rows = EmptyRows::zero its result is 0", name,
                   fmt::join(index.begin(), index.begin() + rows.rank(), ", "), rows);
}

/// The recorded attention y of shape `y_shape`; `rows` is the shape [..., T] of all queries.
Tensor attend(const char* name, const kernels::Attention& task, const Tensor& q, const Tensor& k, const Tensor& v,
              const Tensor& offsets, const Layouts& at, const Shape& y_shape, const Shape& rows,
              const AttentionOptions& options) {
  Tensor y = empty(y_shape, q.dtype()), stats = empty({rows.numel(), 2});
  const std::optional<std::int64_t> blind = detail::with_type(q.dtype(), [&]<class T>() {
    return kernels::attention<T>(task, {q.data<T>(), at.q}, {k.data<T>(), at.k}, {v.data<T>(), at.v},
                                 {y.mutable_data<T>(), at.y}, stats.mutable_data<float>());
  });
  require_seeing(name, blind, rows, options.empty_rows);
  return record({name,
                 {{"scale", task.scale},
                  {"causal", options.causal},
                  {"window", {options.window.left, options.window.right}},
                  {"mask", options.mask},
                  {"empty_rows", options.empty_rows},
                  {"offsets", offsets}}},
                y, {q, k, v, options.bias},
                [=, q = save(q), k = save(k), v = save(v), y = save(y), mask = save(options.mask),
                 bias = save(options.bias), offsets = save(offsets)](const Tensor& dy, Gradients& gradients) {
                  // Written to new tensors, not into the gradients gathered so far: all inputs may be one tensor.
                  const auto wanted = [&](int input, const Tensor& x) {
                    return gradients.wants(input) ? empty(x.shape(), x.dtype()) : Tensor();
                  };
                  Tensor dq = wanted(0, q), dk = wanted(1, k), dv = wanted(2, v), dbias;
                  if (gradients.wants(3)) dbias = empty(rows.with_axis(rows.rank(), task.keys));
                  detail::with_type(dy.dtype(), [&]<class T>() {
                    const auto target = [](Tensor& d) { return d.defined() ? d.mutable_data<T>() : nullptr; };
                    kernels::attention_backward<T>(task, {q->data<T>(), at.q}, {k->data<T>(), at.k},
                                                   {v->data<T>(), at.v}, {y->data<T>(), at.y}, dy.data<T>(),
                                                   stats.data<float>(),
                                                   {.q = {target(dq), at.q},
                                                    .k = {target(dk), at.k},
                                                    .v = {target(dv), at.v},
                                                    .bias = dbias.defined() ? dbias.mutable_data<float>() : nullptr});
                  });
                  if (dq.defined()) gradients.give(0, dq);
                  if (dk.defined()) gradients.give(1, dk);
                  if (dv.defined()) gradients.give(2, dv);
                  if (dbias.defined()) detail::give_reduced(gradients, 3, dbias);
                });
}

/// Number of query heads that share a head of keys and values; 0 when the numbers of heads do not fit.
std::int64_t group_of(std::int64_t heads, std::int64_t kv_heads) {
  if (heads == kv_heads) return 1;
  return kv_heads > 0 && heads % kv_heads == 0 ? heads / kv_heads : 0;
}

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                    const AttentionOptions& options) {
  constexpr const char* name = "scaled_dot_product_attention";
  detail::require_float(name, "q", q);
  detail::require_alike(name, "k", k, "q", q);
  detail::require_alike(name, "v", v, "q", q);
  const auto heads_of = [](const Tensor& x) { return x.rank() > 2 ? x.size(-3) : 1; };
  bool fits = q.rank() >= 2 && k.rank() == q.rank() && v.rank() == q.rank() && q.size(-1) == k.size(-1) &&
              k.size(-2) == v.size(-2) && leading_of(k) == leading_of(v) && group_of(heads_of(q), heads_of(k)) > 0;
  if (fits && q.rank() > 2) fits = leading_of(q).without_axis(-1) == leading_of(k).without_axis(-1);
  if (!fits) {
    fail<ShapeError>(
        "{}: q {}, k {} and v {}, expected [..., H, T, D], [..., Hkv, S, D] and [..., Hkv, S, E] with H a multiple of "
        "Hkv",
        name, q.shape(), k.shape(), v.shape());
  }
  if (q.size(-1) == 0) fail<ShapeError>("{}: q {} has no features", name, q.shape());
  const std::int64_t heads = std::max<std::int64_t>(1, heads_of(q)), kv_heads = std::max<std::int64_t>(1, heads_of(k));
  kernels::Attention task{.sequences = leading_of(q).numel() / heads,
                          .heads = heads,
                          .kv_heads = kv_heads,
                          .rows = q.size(-2),
                          .keys = k.size(-2),
                          .width = q.size(-1),
                          .out = v.size(-1)};
  set_options(name, task, options, q.shape().resized(-1, task.keys));
  const Layouts layouts{
      kernels::dense_layout(heads, task.rows, task.width), kernels::dense_layout(kv_heads, task.keys, task.width),
      kernels::dense_layout(kv_heads, task.keys, task.out), kernels::dense_layout(heads, task.rows, task.out)};
  return attend(name, task, q, k, v, Tensor(), layouts, q.shape().resized(-1, task.out), q.shape().without_axis(-1),
                options);
}

Tensor self_attention(const Tensor& projected, std::int64_t heads, const AttentionOptions& options) {
  constexpr const char* name = "self_attention";
  detail::require_float(name, "projected", projected);
  if (projected.rank() != 3 || heads < 1 || projected.size(-1) == 0 || projected.size(-1) % (3 * heads) != 0) {
    fail<ShapeError>("{}: projected {}, expected [N, T, 3 * {} heads * D]", name, projected.shape(), heads);
  }
  const std::int64_t batch = projected.size(0), tokens = projected.size(1), features = projected.size(2) / 3;
  const std::int64_t width = features / heads;
  kernels::Attention task{.sequences = batch,
                          .heads = heads,
                          .kv_heads = heads,
                          .rows = tokens,
                          .keys = tokens,
                          .width = width,
                          .out = width};
  set_options(name, task, options, {batch, heads, tokens, tokens});
  const kernels::AttentionLayout in{tokens * 3 * features, width, 3 * features},
      out{tokens * features, width, features};
  Tensor y = empty({batch, tokens, features}, projected.dtype()), stats = empty({batch * heads * tokens, 2});
  const std::optional<std::int64_t> blind = detail::with_type(projected.dtype(), [&]<class T>() {
    const T* const x = projected.data<T>();
    return kernels::attention<T>(task, {x, in}, {x + features, in}, {x + 2 * features, in}, {y.mutable_data<T>(), out},
                                 stats.mutable_data<float>());
  });
  require_seeing(name, blind, {batch, heads, tokens}, options.empty_rows);
  return record({name,
                 {{"heads", heads},
                  {"scale", task.scale},
                  {"causal", options.causal},
                  {"window", {options.window.left, options.window.right}},
                  {"mask", options.mask},
                  {"empty_rows", options.empty_rows}}},
                y, {projected, options.bias},
                [=, x = save(projected), y = save(y), mask = save(options.mask), bias = save(options.bias)](
                    const Tensor& dy, Gradients& gradients) {
                  Tensor dx, dbias;
                  if (gradients.wants(0)) dx = empty(x->shape(), x->dtype());
                  if (gradients.wants(1)) dbias = empty({batch, heads, tokens, tokens});
                  detail::with_type(dy.dtype(), [&]<class T>() {
                    const T* const first = x->data<T>();
                    T* const d = dx.defined() ? dx.mutable_data<T>() : nullptr;
                    const auto part = [&](std::int64_t i) { return d != nullptr ? d + i * features : nullptr; };
                    kernels::attention_backward<T>(task, {first, in}, {first + features, in},
                                                   {first + 2 * features, in}, {y->data<T>(), out}, dy.data<T>(),
                                                   stats.data<float>(),
                                                   {.q = {part(0), in},
                                                    .k = {part(1), in},
                                                    .v = {part(2), in},
                                                    .bias = dbias.defined() ? dbias.mutable_data<float>() : nullptr});
                  });
                  if (dx.defined()) gradients.give(0, std::move(dx));
                  if (dbias.defined()) detail::give_reduced(gradients, 1, dbias);
                });
}

Tensor packed_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& offsets,
                        const AttentionOptions& options) {
  constexpr const char* name = "packed_attention";
  detail::require_float(name, "q", q);
  detail::require_alike(name, "k", k, "q", q);
  detail::require_alike(name, "v", v, "q", q);
  detail::require(name, "offsets", offsets, Dtype::i64);
  if (q.rank() != 3 || k.rank() != 3 || v.rank() != 3 || q.size(0) != k.size(0) || q.size(0) != v.size(0) ||
      q.size(2) != k.size(2) || k.size(1) != v.size(1) || group_of(q.size(1), k.size(1)) == 0 || q.size(2) == 0) {
    fail<ShapeError>(
        "{}: q {}, k {} and v {}, expected [tokens, H, D], [tokens, Hkv, D] and [tokens, Hkv, E] with H a multiple of "
        "Hkv",
        name, q.shape(), k.shape(), v.shape());
  }
  if (options.mask.defined() || options.bias.defined()) {
    fail<ValueError>("{}: {} is given, expected neither mask nor bias", name, options.mask.defined() ? "mask" : "bias");
  }
  const std::int64_t tokens = q.size(0);
  if (offsets.rank() != 1 || offsets.numel() < 1) {
    fail<ShapeError>("{}: offsets {}, expected [sequences + 1]", name, offsets.shape());
  }
  const auto starts = offsets.values<std::int64_t>();
  std::int64_t longest = 0;
  for (std::size_t i = 1; i < starts.size(); ++i) {
    if (starts[i] < starts[i - 1]) {
      fail<ValueError>("{}: offsets {} is {} after {}, expected not to fall", name, i, starts[i], starts[i - 1]);
    }
    longest = std::max(longest, starts[i] - starts[i - 1]);
  }
  if (starts.front() != 0 || starts.back() != tokens) {
    fail<ValueError>("{}: offsets from {} to {}, expected 0 to {} tokens", name, starts.front(), starts.back(), tokens);
  }
  const std::int64_t heads = std::max<std::int64_t>(1, q.size(1)), kv_heads = std::max<std::int64_t>(1, k.size(1));
  kernels::Attention task{.sequences = q.size(1) == 0 ? 0 : offsets.numel() - 1,
                          .heads = heads,
                          .kv_heads = kv_heads,
                          .rows = longest,
                          .keys = longest,
                          .width = q.size(2),
                          .out = v.size(2),
                          .offsets = offsets.data<std::int64_t>()};
  set_options(name, task, options, {});
  const auto packed = [](const Tensor& x) { return kernels::AttentionLayout{0, x.size(2), x.size(1) * x.size(2)}; };
  Layouts layouts{packed(q), packed(k), packed(v), {0, task.out, heads * task.out}};
  return attend(name, task, q, k, v, offsets, layouts, {tokens, q.size(1), task.out}, {q.size(1), tokens}, options);
}

}  // namespace temper
