#include <temper/autograd/ops/attention.hpp>

#include <cmath>
#include <type_traits>

#include <temper/autograd/random.hpp>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/kernels/attention.hpp"

namespace temper {

namespace {

constexpr const char* op = "scaled_dot_product_attention";

Shape leading_of(const Tensor& x) { return x.shape().without_axis(-1).without_axis(-1); }

kernels::Attention checked(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& options) {
  detail::require_float(op, "q", q);
  detail::require_alike(op, "k", k, "q", q);
  detail::require_alike(op, "v", v, "q", q);
  if (q.rank() < 2 || k.rank() < 2 || v.rank() < 2 || !(leading_of(q) == leading_of(k)) ||
      !(leading_of(q) == leading_of(v)) || q.size(-1) != k.size(-1) || k.size(-2) != v.size(-2)) {
    fail<ShapeError>("{}: q {}, k {} and v {}, expected [..., T, D], [..., S, D] and [..., S, E]", op, q.shape(),
                     k.shape(), v.shape());
  }
  if (q.size(-1) == 0) fail<ShapeError>("{}: q {} has no features", op, q.shape());
  kernels::Attention task{.matrices = leading_of(q).numel(),
                          .rows = q.size(-2),
                          .keys = k.size(-2),
                          .width = q.size(-1),
                          .out = v.size(-1),
                          .scale = options.scale.value_or(1.0f / std::sqrt(static_cast<float>(q.size(-1)))),
                          .causal = options.causal,
                          .leading = leading_of(q)};
  if (task.keys == 0 && task.matrices * task.rows > 0) {
    fail<ValueError>("{}: k {} has no keys to see", op, k.shape());
  }
  return task;
}

kernels::Dropping dropping(const char* operation, double p) {
  if (!(p >= 0.0 && p < 1.0)) fail<ValueError>("{}: dropout is {}, expected from 0 to below 1", operation, p);
  if (!training() || p == 0.0) return {};
  return {detail::dropout_stream(), p};
}

/// How the mask moves along the axes of the scores.
void set_mask(const char* operation, kernels::Attention& task, const Tensor& mask, const Shape& scores) {
  detail::require(operation, "mask", mask, Dtype::boolean);
  bool fits = mask.rank() <= scores.rank();
  for (int back = 1; fits && back <= mask.rank(); ++back)
    fits = mask.size(-back) == 1 || mask.size(-back) == scores[-back];
  if (!fits) fail<ShapeError>("{}: mask {} does not broadcast to the scores {}", operation, mask.shape(), scores);
  task.mask = mask.data<bool>();
  std::int64_t stride = 1;
  for (int back = 1; back <= mask.rank(); ++back) {
    const std::int64_t moves = mask.size(-back) == 1 ? 0 : stride;
    if (back == 1) {
      task.mask_key_stride = moves;
    } else if (back == 2) {
      task.mask_row_stride = moves;
    } else {
      task.mask_strides[static_cast<std::size_t>(scores.rank() - back)] = moves;
    }
    stride *= mask.size(-back);
  }
}

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                    const AttentionOptions& options) {
  kernels::Attention task = checked(q, k, v, options);
  if (options.mask.defined()) set_mask(op, task, options.mask, q.shape().resized(-1, task.keys));
  task.dropping = dropping(op, options.dropout);
  Tensor y = empty(q.shape().resized(-1, task.out), q.dtype()), stats = empty({task.matrices, task.rows, 2});
  const bool blind = detail::with_type(q.dtype(), [&]<class T>() {
    return kernels::attention<T>(task, {q.data<T>(), k.data<T>(), v.data<T>(), {}}, y.mutable_data<T>(), {},
                                 stats.mutable_data<float>());
  });
  if (blind) {
    fail<ValueError>("{}: a query of q {} sees no key", op, q.shape());
  }
  return record(op, y, {q, k, v},
                [task, q = save(q), k = save(k), v = save(v), y = save(y), stats, mask = save(options.mask)](
                    const Tensor& dy, Gradients& gradients) {
                  // Tensors of their own, not those the gradients are gathered in: all three inputs may be one tensor.
                  const auto wanted = [&](int input, const Tensor& x) {
                    return gradients.wants(input) ? empty(x.shape(), x.dtype()) : Tensor();
                  };
                  Tensor dq = wanted(0, q), dk = wanted(1, k), dv = wanted(2, v);
                  detail::with_type(dy.dtype(), [&]<class T>() {
                    const auto target = [](Tensor& d) { return d.defined() ? d.mutable_data<T>() : nullptr; };
                    kernels::attention_backward<T>(task, {q->data<T>(), k->data<T>(), v->data<T>(), {}}, y->data<T>(),
                                                   dy.data<T>(), {}, stats.data<float>(),
                                                   {target(dq), target(dk), target(dv), {}});
                  });
                  if (dq.defined()) gradients.give(0, dq);
                  if (dk.defined()) gradients.give(1, dk);
                  if (dv.defined()) gradients.give(2, dv);
                });
}

Tensor self_attention(const Tensor& projected, std::int64_t heads, const AttentionOptions& options) {
  constexpr const char* name = "self_attention";
  detail::require_float(name, "projected", projected);
  if (projected.rank() != 3 || heads < 1 || projected.size(-1) == 0 || projected.size(-1) % (3 * heads) != 0) {
    fail<ShapeError>("{}: projected {}, expected [N, T, 3 * {} heads * D]", name, projected.shape(), heads);
  }
  const std::int64_t batch = projected.size(0), tokens = projected.size(1), features = projected.size(2) / 3;
  const std::int64_t width = features / heads;
  kernels::Attention task{.matrices = batch * heads,
                          .rows = tokens,
                          .keys = tokens,
                          .width = width,
                          .out = width,
                          .scale = options.scale.value_or(1.0f / std::sqrt(static_cast<float>(width))),
                          .causal = options.causal,
                          .leading = {batch, heads}};
  if (options.mask.defined()) set_mask(name, task, options.mask, {batch, heads, tokens, tokens});
  task.dropping = dropping(name, options.dropout);
  const kernels::AttentionLayout in{heads, 3 * features}, out{heads, features};
  Tensor y = empty({batch, tokens, features}, projected.dtype()), stats = empty({task.matrices, tokens, 2});
  const auto parts = [features, in](auto* first) {
    return kernels::AttentionOperands<std::remove_pointer_t<decltype(first)>>{first, first + features,
                                                                              first + 2 * features, in};
  };
  const bool blind = detail::with_type(projected.dtype(), [&]<class T>() {
    return kernels::attention<T>(task, parts(projected.data<T>()), y.mutable_data<T>(), out,
                                 stats.mutable_data<float>());
  });
  if (blind) {
    fail<ValueError>("{}: a query of projected {} sees no key", name, projected.shape());
  }
  return record(name, y, {projected},
                [task, out, parts, x = save(projected), y = save(y), stats, mask = save(options.mask)](
                    const Tensor& dy, Gradients& gradients) {
                  Tensor dx = empty(x->shape(), x->dtype());
                  detail::with_type(dy.dtype(), [&]<class T>() {
                    kernels::attention_backward<T>(task, parts(x->data<T>()), y->data<T>(), dy.data<T>(), out,
                                                   stats.data<float>(), parts(dx.mutable_data<T>()));
                  });
                  gradients.give(0, std::move(dx));
                });
}

}  // namespace temper
