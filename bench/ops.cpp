// Single operations: Temper's kernels (OPERATION/temper) and oneDNN's primitives for the same (OPERATION/onednn).
// LibTorch's functions are in ops_torch.cpp. At the end, the overhead of an operation on four numbers.

#include <benchmark/benchmark.h>

#include <array>
#include <functional>
#include <optional>

#include <temper/autograd/ops.hpp>
#include <temper/autograd/tape.hpp>

#include "bench/op_shapes.hpp"
#include "framework/kernels/attention.hpp"
#include "framework/kernels/conv.hpp"
#include "framework/kernels/elementwise.hpp"
#include "framework/kernels/embedding.hpp"
#include "framework/kernels/loss.hpp"
#include "framework/kernels/matmul.hpp"
#include "framework/kernels/norm.hpp"
#include "framework/kernels/onednn.hpp"
#include "framework/kernels/pool.hpp"
#include "framework/kernels/reduce.hpp"
#include "framework/kernels/softmax.hpp"

namespace temper::bench {

namespace {

using namespace kernels;
using namespace op_shapes;
using benchmark::State;

/// One of several large arrays of random numbers. Operations may overwrite them, as none makes large numbers.
float* array(std::size_t which) {
  static std::array<Tensor, 8> arrays;
  Tensor& x = arrays[which];
  if (!x.defined()) x = uniform({largest}, -1.0f, 1.0f);
  return x.mutable_data<float>();
}

const std::int64_t* labels(Index count, std::int64_t classes) {
  static Tensor ids = empty({1 << 14}, Dtype::i64);
  for (Index i = 0; i < count; ++i) ids.mutable_data<std::int64_t>()[i] = (i * 7919) % classes;
  return ids.data<std::int64_t>();
}

void time(const std::string& name, std::function<void()> body) {
  benchmark::RegisterBenchmark(name.c_str(),
                               [body = std::move(body)](State& state) {
                                 body();  // compiles, and maps memory
                                 for (auto _ : state) body();
                               })
      ->UseRealTime()
      ->Unit(benchmark::kMicrosecond);
}

void elementwise() {
  const Index n = tokens * width;
  const std::array<std::pair<const char*, Unary>, 4> functions = {
      {{"relu", Unary::relu}, {"gelu", Unary::gelu}, {"gelu_tanh", Unary::gelu_tanh}, {"silu", Unary::silu}}};
  for (const auto& [name, op] : functions) {
    time(std::string(name) + "/temper", [=, f = op] { unary(f, array(0), array(1), n); });
    time(std::string(name) + "_backward/temper", [=, f = op] { unary_backward(f, array(0), array(1), array(2), n); });
  }
  time("bias_gelu/temper", [] { bias_activation(Activation::gelu, array(0), array(4), tokens, hidden, array(1)); });
  time("bias_gelu_backward/temper", [] {
    bias_activation_backward(Activation::gelu, array(0), array(4), array(1), tokens, hidden, array(2), array(3), false);
  });
  time("add/temper", [=] { binary(Binary::add, array(0), {n}, array(1), {n}, array(2), {n}); });
  time("bias_gradient/temper", [] { sum_rows(array(0), tokens, width, array(1), false); });
}

void rows() {
  static Tensor mean = empty({tokens}), inverse = empty({tokens});
  time("layer_norm/temper", [] {
    norm(array(0), tokens, width, array(3), array(4), 1e-5f, array(1), mean.mutable_data<float>(),
         inverse.mutable_data<float>());
  });
  time("layer_norm_backward/temper", [] {
    norm_backward(array(0), array(5), tokens, width, array(3), mean.data<float>(), inverse.data<float>(),
                  NormGradients<float>{.x = array(1), .weight = array(2), .bias = array(4)});
  });
  time("add_layer_norm/temper", [] {
    add_norm(array(0), array(5), tokens, width, array(3), array(4), 1e-5f, array(2), array(1),
             mean.mutable_data<float>(), inverse.mutable_data<float>());
  });
  time("add_layer_norm_backward/temper", [] {  // added to the gradient of the residual stream
    norm_backward(array(0), array(5), tokens, width, array(3), mean.data<float>(), inverse.data<float>(),
                  NormGradients<float>{.x = array(1), .accumulate_x = true, .weight = array(2), .bias = array(4)});
  });
  time("softmax/temper",
       [] { benchmark::DoNotOptimize(softmax(array(0), attention_rows, attention, 1, false, array(1))); });
  time("softmax_backward/temper",
       [] { softmax_backward(array(0), array(1), attention_rows, attention, 1, false, array(2)); });
  static Tensor losses = empty({predictions}), stats = empty({predictions, 2});
  const auto task = [] {
    return CrossEntropy{.rows = predictions,
                        .classes = vocabulary,
                        .labels = labels(predictions, vocabulary),
                        .ignore_index = -100,
                        .smoothing = 0.0f};
  };
  time("cross_entropy/temper", [=] {
    benchmark::DoNotOptimize(
        cross_entropy(task(), array(0), losses.mutable_data<float>(), stats.mutable_data<float>()));
  });
  time("cross_entropy_backward/temper", [=] {
    const float one = 1.0f;
    cross_entropy_backward(task(), array(0), stats.data<float>(), &one, 0, 1.0f / predictions, array(1));
  });
  time("embedding/temper", [] { embedding(array(0), labels(tokens, 20000), tokens, width, array(1)); });
  time("embedding_backward/temper",
       [] { embedding_backward(array(1), labels(tokens, 20000), tokens, width, array(2)); });
}

void products() {
  // Forward, gradient of the input, gradient of the weight.
  time("linear/temper", [] {
    matmul({.m = tokens, .n = width, .k = width, .transpose_b = true}, array(0), array(1), array(2), array(3));
  });
  time("linear_backward_input/temper",
       [] { matmul({.m = tokens, .n = width, .k = width}, array(0), array(1), nullptr, array(3)); });
  time("linear_backward_weight/temper", [] {
    matmul({.m = width, .n = width, .k = tokens, .transpose_a = true}, array(0), array(1), nullptr, array(3));
  });
  time("linear_backward_weight_added/temper", [] {  // added to an existing gradient
    static Tensor master = zeros({width, width});
    matmul({.m = width, .n = width, .k = tokens, .transpose_a = true, .accumulate = true}, array(0), array(1), nullptr,
           master.mutable_data<float>());
  });
  time("linear_gelu/temper", [] {
    matmul({.m = tokens, .n = hidden, .k = width, .transpose_b = true}, array(0), array(1), nullptr, array(3));
    bias_activation(Activation::gelu, array(3), array(2), tokens, hidden, array(4));
  });
}

/// Causal self-attention of all heads.
void attentions() {
  static Tensor stats = empty({heads, attention, 2}), gradients = empty({3, heads, attention, head_width});
  const Attention task{.heads = heads,
                       .kv_heads = heads,
                       .rows = attention,
                       .keys = attention,
                       .width = head_width,
                       .out = head_width,
                       .scale = 0.125f,
                       .causal = true};
  const AttentionLayout layout = dense_layout(heads, attention, head_width);
  const auto forward = [=] {
    return kernels::attention<float>(task, {array(0), layout}, {array(1), layout}, {array(2), layout},
                                     {array(3), layout}, stats.mutable_data<float>());
  };
  time("causal_attention/temper", [=] { benchmark::DoNotOptimize(forward()); });
  time("causal_attention_backward/temper", [=] {
    float* const d = gradients.mutable_data<float>();
    const Index n = heads * attention * head_width;
    attention_backward<float>(task, {array(0), layout}, {array(1), layout}, {array(2), layout}, {array(3), layout},
                              array(4), stats.data<float>(),
                              {.q = {d, layout}, .k = {d + n, layout}, .v = {d + 2 * n, layout}});
  });
}

void spatial() {
  const Conv2d conv{.n = images,
                    .h = side,
                    .w = side,
                    .in = in,
                    .out = out,
                    .kernel_h = 3,
                    .kernel_w = 3,
                    .padding_h = 1,
                    .padding_w = 1};
  time("conv/temper", [=] { conv2d(conv, array(0), array(1), array(2), array(3)); });
  time("conv_backward_input/temper", [=] { conv2d_backward_data(conv, array(0), array(1), array(3)); });
  time("conv_backward_weight/temper", [=] { conv2d_backward_weights(conv, array(0), array(1), array(3), false); });
  const Pool2d pool{.n = images,
                    .h = 2 * side,
                    .w = 2 * side,
                    .channels = in,
                    .kernel_h = 2,
                    .kernel_w = 2,
                    .stride_h = 2,
                    .stride_w = 2,
                    .out_h = side,
                    .out_w = side};
  static std::vector<std::byte> which(images * side * side * in);
  time("max_pool/temper", [=] { max_pool2d(pool, array(0), array(1), which.data()); });
  time("max_pool_backward/temper", [=] { max_pool2d_backward(pool, array(1), which.data(), array(2)); });
}

#if DNNL_VERSION_MAJOR < 3  // oneDNN 3 describes these primitives differently

/// An argument of a primitive: its memory layout and the index of its array.
struct Operand {
  int argument;
  dnnl::memory::desc desc;
  std::size_t array;
};

/// Primitives that are executed one after the other. A chain with one that oneDNN has no fast kernel for, on this CPU,
/// is not timed.
class Chain {
 public:
  template <class Description>
  Chain& then(const std::optional<Description>& description, std::initializer_list<Operand> operands) {
    if (description) return then(*description, operands);
    complete_ = false;
    return *this;
  }
  template <class Description>
  Chain& then(const Description& description, std::initializer_list<Operand> operands) {
    std::vector<onednn::Program::Argument> arguments;
    for (const auto& [argument, desc, which] : operands) {
      arguments.push_back({argument, program_->operand(desc)});
      arrays_.push_back(array(which));
    }
    program_->add("benchmark", description, arguments);
    return *this;
  }
  void time_as(const char* name) const {
    if (!complete_) return;
    time(std::string(name) + "/onednn", [program = program_, p = arrays_] { onednn::execute(*program, p); });
  }

 private:
  std::shared_ptr<onednn::Program> program_ = std::make_shared<onednn::Program>();
  std::vector<const void*> arrays_;
  bool complete_ = true;
};

using dnnl::algorithm;
using dnnl::prop_kind;
using onednn::describe;

/// The backward primitive that oneDNN offers first; nothing where that would be a reference implementation.
template <class Primitive, class... Args>
auto describe_backward(const Args&... args) {
  return onednn::describe_one_backward<Primitive>(0, args...);
}

dnnl::primitive_attr then_gelu() {
  dnnl::primitive_attr attributes = onednn::attributes();
  dnnl::post_ops after;
  after.append_eltwise(1.0f, algorithm::eltwise_gelu_erf, 0.0f, 0.0f);
  attributes.set_post_ops(after);
  return attributes;
}

void elementwise_primitives() {
  const auto attributes = onednn::attributes();
  const auto x = onednn::dense({tokens, width}), row = onednn::dense({1, width});
  const std::array<std::pair<const char*, algorithm>, 4> functions = {{{"relu", algorithm::eltwise_relu},
                                                                       {"gelu", algorithm::eltwise_gelu_erf},
                                                                       {"gelu_tanh", algorithm::eltwise_gelu_tanh},
                                                                       {"silu", algorithm::eltwise_swish}}};
  for (const auto& [name, kind] : functions) {
    const float alpha = kind == algorithm::eltwise_swish ? 1.0f : 0.0f;
    const auto forward = describe<dnnl::eltwise_forward>(attributes, prop_kind::forward_training, kind, x, alpha, 0.0f);
    Chain().then(forward, {{DNNL_ARG_SRC, x, 0}, {DNNL_ARG_DST, x, 1}}).time_as(name);
    Chain()
        .then(describe_backward<dnnl::eltwise_backward>(attributes, forward, kind, x, x, alpha, 0.0f),
              {{DNNL_ARG_SRC, x, 0}, {DNNL_ARG_DIFF_DST, x, 1}, {DNNL_ARG_DIFF_SRC, x, 2}})
        .time_as((std::string(name) + "_backward").c_str());
  }
  Chain()
      .then(describe<dnnl::binary>(attributes, algorithm::binary_add, x, x, x),
            {{DNNL_ARG_SRC_0, x, 0}, {DNNL_ARG_SRC_1, x, 1}, {DNNL_ARG_DST, x, 2}})
      .time_as("add");
  const auto sum = [&](const dnnl::memory::desc& from, const dnnl::memory::desc& to) {
    return describe<dnnl::reduction>(attributes, algorithm::reduction_sum, from, to, 0.0f, 0.0f);
  };
  Chain().then(sum(x, row), {{DNNL_ARG_SRC, x, 0}, {DNNL_ARG_DST, row, 1}}).time_as("bias_gradient");
  const auto z = onednn::dense({tokens, hidden}), bias = onednn::dense({1, hidden});
  Chain()
      .then(describe<dnnl::binary>(then_gelu(), algorithm::binary_add, z, bias, z),
            {{DNNL_ARG_SRC_0, z, 0}, {DNNL_ARG_SRC_1, bias, 4}, {DNNL_ARG_DST, z, 1}})
      .time_as("bias_gelu");
  const auto gelu = describe<dnnl::eltwise_forward>(attributes, prop_kind::forward_training,
                                                    algorithm::eltwise_gelu_erf, z, 0.0f, 0.0f);
  Chain()
      .then(describe_backward<dnnl::eltwise_backward>(attributes, gelu, algorithm::eltwise_gelu_erf, z, z, 0.0f, 0.0f),
            {{DNNL_ARG_SRC, z, 0}, {DNNL_ARG_DIFF_DST, z, 1}, {DNNL_ARG_DIFF_SRC, z, 2}})
      .then(sum(z, bias), {{DNNL_ARG_SRC, z, 2}, {DNNL_ARG_DST, bias, 3}})
      .time_as("bias_gelu_backward");
}

void row_primitives() {
  const auto attributes = onednn::attributes();
  const auto x = onednn::dense({tokens, width}), gain = onednn::dense({width}), line = onednn::dense({tokens});
  const auto flags = dnnl::normalization_flags::use_scale | dnnl::normalization_flags::use_shift;
  const auto norm =
      describe<dnnl::layer_normalization_forward>(attributes, prop_kind::forward_training, x, 1e-5f, flags);
  const auto norm_back =
      describe_backward<dnnl::layer_normalization_backward>(attributes, norm, prop_kind::backward, x, x, 1e-5f, flags);
  const auto add = describe<dnnl::binary>(attributes, algorithm::binary_add, x, x, x);
  const auto forward = [&](Chain& chain, std::size_t from) -> Chain& {
    return chain.then(norm, {{DNNL_ARG_SRC, x, from},
                             {DNNL_ARG_SCALE, gain, 3},
                             {DNNL_ARG_SHIFT, gain, 4},
                             {DNNL_ARG_DST, x, 1},
                             {DNNL_ARG_MEAN, line, 6},
                             {DNNL_ARG_VARIANCE, line, 7}});
  };
  const auto backward = [&](Chain& chain) -> Chain& {
    return chain.then(norm_back, {{DNNL_ARG_SRC, x, 0},
                                  {DNNL_ARG_DIFF_DST, x, 5},
                                  {DNNL_ARG_SCALE, gain, 3},
                                  {DNNL_ARG_SHIFT, gain, 4},
                                  {DNNL_ARG_MEAN, line, 6},
                                  {DNNL_ARG_VARIANCE, line, 7},
                                  {DNNL_ARG_DIFF_SRC, x, 1},
                                  {DNNL_ARG_DIFF_SCALE, gain, 2},
                                  {DNNL_ARG_DIFF_SHIFT, gain, 4}});
  };
  Chain plain, plain_back, added, added_back;
  forward(plain, 0).time_as("layer_norm");
  backward(plain_back).time_as("layer_norm_backward");
  added.then(add, {{DNNL_ARG_SRC_0, x, 0}, {DNNL_ARG_SRC_1, x, 5}, {DNNL_ARG_DST, x, 2}});
  forward(added, 2).time_as("add_layer_norm");
  backward(added_back)
      .then(add, {{DNNL_ARG_SRC_0, x, 1}, {DNNL_ARG_SRC_1, x, 5}, {DNNL_ARG_DST, x, 1}})
      .time_as("add_layer_norm_backward");

  const auto scores = onednn::dense({attention_rows, attention}), logits = onednn::dense({predictions, vocabulary});
  const auto soft = describe<dnnl::softmax_forward>(attributes, prop_kind::forward_training, scores, 1);
  Chain().then(soft, {{DNNL_ARG_SRC, scores, 0}, {DNNL_ARG_DST, scores, 1}}).time_as("softmax");
  Chain()
      .then(describe_backward<dnnl::softmax_backward>(attributes, soft, scores, scores, 1),
            {{DNNL_ARG_DST, scores, 0}, {DNNL_ARG_DIFF_DST, scores, 1}, {DNNL_ARG_DIFF_SRC, scores, 2}})
      .time_as("softmax_backward");
  // oneDNN has no cross entropy: this is the log-softmax, without the sum over the labels.
  const auto log = describe<dnnl::logsoftmax_forward>(attributes, prop_kind::forward_training, logits, 1);
  Chain().then(log, {{DNNL_ARG_SRC, logits, 0}, {DNNL_ARG_DST, logits, 1}}).time_as("cross_entropy");
  Chain()
      .then(describe_backward<dnnl::logsoftmax_backward>(attributes, log, logits, logits, 1),
            {{DNNL_ARG_DST, logits, 0}, {DNNL_ARG_DIFF_DST, logits, 1}, {DNNL_ARG_DIFF_SRC, logits, 2}})
      .time_as("cross_entropy_backward");
}

void product_primitives() {
  using dnnl::memory;
  const auto attributes = onednn::attributes();
  const auto matrix = [](Index rows, Index columns) { return onednn::dense({rows, columns}); };
  const auto transposed = [](Index rows, Index columns) {  // stored as [columns, rows]
    return memory::desc({rows, columns}, onednn::Type::f32, memory::dims{1, rows});
  };
  const auto product = [](const dnnl::primitive_attr& attr, const auto& a, const auto& b, const auto& y, auto... bias) {
    return describe<dnnl::matmul>(attr, a, b, bias..., y);
  };
  const auto x = matrix(tokens, width), w = matrix(width, width), row = matrix(1, width);
  const auto w_transposed = transposed(width, width), x_transposed = transposed(width, tokens);
  Chain()
      .then(product(attributes, x, w_transposed, x, row),
            {{DNNL_ARG_SRC, x, 0}, {DNNL_ARG_WEIGHTS, w_transposed, 1}, {DNNL_ARG_BIAS, row, 2}, {DNNL_ARG_DST, x, 3}})
      .time_as("linear");
  Chain()
      .then(product(attributes, x, w, x), {{DNNL_ARG_SRC, x, 0}, {DNNL_ARG_WEIGHTS, w, 1}, {DNNL_ARG_DST, x, 3}})
      .time_as("linear_backward_input");
  for (const bool added : {false, true}) {
    Chain()
        .then(product(added ? onednn::accumulating() : attributes, x_transposed, x, w),
              {{DNNL_ARG_SRC, x_transposed, 0}, {DNNL_ARG_WEIGHTS, x, 1}, {DNNL_ARG_DST, w, added ? 6u : 3u}})
        .time_as(added ? "linear_backward_weight_added" : "linear_backward_weight");
  }
  const auto up = transposed(width, hidden), z = matrix(tokens, hidden), bias = matrix(1, hidden);
  Chain()
      .then(product(then_gelu(), x, up, z, bias),
            {{DNNL_ARG_SRC, x, 0}, {DNNL_ARG_WEIGHTS, up, 1}, {DNNL_ARG_BIAS, bias, 2}, {DNNL_ARG_DST, z, 3}})
      .time_as("linear_gelu");
}

/// Attention to all keys, without scaling: oneDNN 2 has no primitive with a mask.
void attention_primitives() {
  using dnnl::memory;
  const auto attributes = onednn::attributes();
  const auto stack = [](Index rows, Index columns) { return onednn::dense({heads, rows, columns}); };
  const auto transposed = [](Index rows, Index columns) {
    return memory::desc({heads, rows, columns}, onednn::Type::f32, memory::dims{rows * columns, 1, rows});
  };
  const auto x = stack(attention, head_width), p = stack(attention, attention);
  const auto x_transposed = transposed(head_width, attention), p_transposed = transposed(attention, attention);
  const auto scores = describe<dnnl::matmul>(attributes, x, x_transposed, p);
  const auto values = describe<dnnl::matmul>(attributes, p, x, x);
  const auto of_keys = describe<dnnl::matmul>(attributes, p_transposed, x, x);
  const auto soft = describe<dnnl::softmax_forward>(attributes, prop_kind::forward_training, p, 2);
  Chain()
      .then(scores, {{DNNL_ARG_SRC, x, 0}, {DNNL_ARG_WEIGHTS, x_transposed, 1}, {DNNL_ARG_DST, p, 3}})
      .then(soft, {{DNNL_ARG_SRC, p, 3}, {DNNL_ARG_DST, p, 4}})
      .then(values, {{DNNL_ARG_SRC, p, 4}, {DNNL_ARG_WEIGHTS, x, 2}, {DNNL_ARG_DST, x, 5}})
      .time_as("causal_attention");
  Chain()
      .then(of_keys, {{DNNL_ARG_SRC, p_transposed, 4}, {DNNL_ARG_WEIGHTS, x, 0}, {DNNL_ARG_DST, x, 3}})
      .then(scores, {{DNNL_ARG_SRC, x, 0}, {DNNL_ARG_WEIGHTS, x_transposed, 2}, {DNNL_ARG_DST, p, 3}})
      .then(describe_backward<dnnl::softmax_backward>(attributes, soft, p, p, 2),
            {{DNNL_ARG_DST, p, 4}, {DNNL_ARG_DIFF_DST, p, 3}, {DNNL_ARG_DIFF_SRC, p, 5}})
      .then(values, {{DNNL_ARG_SRC, p, 5}, {DNNL_ARG_WEIGHTS, x, 1}, {DNNL_ARG_DST, x, 3}})
      .then(of_keys, {{DNNL_ARG_SRC, p_transposed, 5}, {DNNL_ARG_WEIGHTS, x, 0}, {DNNL_ARG_DST, x, 3}})
      .time_as("causal_attention_backward");
}

void primitives() {
  elementwise_primitives();
  row_primitives();
  product_primitives();
  attention_primitives();
}

#else
void primitives() {}
#endif

// The overhead of an operation -----------------------------------------------------------------------

/// A chain of additions of four numbers: without a tape, recorded, and recorded with backward.
void tiny() {
  constexpr int chain = 100;
  const auto run = [](const Tensor& x) {
    Tensor y = x;
    for (int i = 0; i < chain; ++i) y = add(y, x);
    return y;
  };
  const auto each = [](const char* name, auto body) {
    benchmark::RegisterBenchmark(name,
                                 [body](State& state) {
                                   const Tensor x = ones({4});
                                   for (auto _ : state) body(x);
                                   state.counters["ns per operation"] =
                                       benchmark::Counter(static_cast<double>(state.iterations() * chain) * 1e-9,
                                                          benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
                                 })
        ->UseRealTime()
        ->Unit(benchmark::kMicrosecond);
  };
  each("100_tiny_operations/temper", [run](const Tensor& x) { benchmark::DoNotOptimize(run(x)); });
  each("100_tiny_operations_recorded/temper", [run](const Tensor& x) {
    Tape tape;
    tape.watch(x);
    benchmark::DoNotOptimize(run(x));
  });
  each("100_tiny_operations_and_backward/temper", [run](const Tensor& x) {
    Tape tape;
    tape.watch(x);
    tape.backward(sum(run(x)));
  });
}

/// A chain of products with a matrix, recorded with backward.
void tiny_linears() {
  benchmark::RegisterBenchmark("100_tiny_linears_and_backward/temper",
                               [](State& state) {
                                 const Parameter weight(ones({4, 4}), Role::weight), bias(ones({4}), Role::bias);
                                 const Tensor x = zeros({1, 4});
                                 for (auto _ : state) {
                                   Tape tape;
                                   Tensor y = x;
                                   for (int i = 0; i < 100; ++i) y = linear(y, weight, bias) * 0.25f;
                                   tape.backward(sum(y));
                                   discard_gradients({weight, bias});
                                 }
                               })
      ->UseRealTime()
      ->Unit(benchmark::kMicrosecond);
}

[[maybe_unused]] const bool registered = [] {
  elementwise();
  rows();
  products();
  attentions();
  spatial();
  primitives();
  tiny();
  tiny_linears();
  return true;
}();

}  // namespace

}  // namespace temper::bench
