// Single operations: our kernels, named OPERATION/temper, and oneDNN's primitives for the same, OPERATION/onednn. The
// LibTorch half is ops_torch.cpp. At the end the price of an operation that has next to nothing to compute.

#include <benchmark/benchmark.h>

#include <array>
#include <functional>

#include <temper/autograd/ops.hpp>
#include <temper/autograd/tape.hpp>

#include "bench/op_shapes.hpp"
#include "framework/kernels/conv.hpp"
#include "framework/kernels/elementwise.hpp"
#include "framework/kernels/embedding.hpp"
#include "framework/kernels/loss.hpp"
#include "framework/kernels/matmul.hpp"
#include "framework/kernels/norm.hpp"
#include "framework/kernels/onednn.hpp"
#include "framework/kernels/pool.hpp"
#include "framework/kernels/softmax.hpp"

namespace temper::bench {

namespace {

using namespace kernels;
using namespace op_shapes;
using benchmark::State;

/// One of some large arrays of noise. Operations may overwrite them: they hold small numbers for ever.
float* array(std::size_t which) {
  static std::array<Tensor, 6> arrays;
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
    norm_backward(array(0), array(5), tokens, width, array(3), mean.data<float>(), inverse.data<float>(), array(1),
                  false, array(2), array(4));
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
  static Tensor which = empty({images, side, side, in});
  time("max_pool/temper", [=] { max_pool2d(pool, array(0), array(1), which.mutable_data<float>()); });
  time("max_pool_backward/temper", [=] { max_pool2d_backward(pool, array(1), which.data<float>(), array(2)); });
}

#if DNNL_VERSION_MAJOR < 3  // the descriptors of these primitives are others since

/// Times a primitive on arrays, in the order of its operands.
template <class Description>
void time_primitive(const std::string& name, const Description& description,
                    std::initializer_list<std::pair<int, dnnl::memory::desc>> operands) {
  auto program = std::make_shared<onednn::Program>();
  std::vector<onednn::Program::Argument> arguments;
  for (const auto& [argument, desc] : operands) arguments.push_back({argument, program->operand(desc)});
  switch (arguments.size()) {
    case 2: program->add(name.c_str(), description, {arguments[0], arguments[1]}); break;
    case 3: program->add(name.c_str(), description, {arguments[0], arguments[1], arguments[2]}); break;
  }
  time(name + "/onednn", [program] { onednn::execute(*program, {array(0), array(1), array(2)}); });
}

void primitives() {
  using dnnl::algorithm;
  using dnnl::prop_kind;
  const auto attributes = onednn::attributes();
  const auto x = onednn::dense({tokens, width}), scores = onednn::dense({attention_rows, attention});
  const std::array<std::pair<const char*, algorithm>, 4> functions = {{{"relu", algorithm::eltwise_relu},
                                                                       {"gelu", algorithm::eltwise_gelu_erf},
                                                                       {"gelu_tanh", algorithm::eltwise_gelu_tanh},
                                                                       {"silu", algorithm::eltwise_swish}}};
  for (const auto& [name, kind] : functions) {
    const float alpha = kind == algorithm::eltwise_swish ? 1.0f : 0.0f;
    const auto forward =
        onednn::describe<dnnl::eltwise_forward>(attributes, prop_kind::forward_training, kind, x, alpha, 0.0f);
    time_primitive(name, forward, {{DNNL_ARG_SRC, x}, {DNNL_ARG_DST, x}});
    time_primitive(std::string(name) + "_backward",
                   onednn::describe_backward<dnnl::eltwise_backward>(attributes, forward, kind, x, x, alpha, 0.0f),
                   {{DNNL_ARG_SRC, x}, {DNNL_ARG_DIFF_DST, x}, {DNNL_ARG_DIFF_SRC, x}});
  }
  time_primitive("add", onednn::describe<dnnl::binary>(attributes, algorithm::binary_add, x, x, x),
                 {{DNNL_ARG_SRC_0, x}, {DNNL_ARG_SRC_1, x}, {DNNL_ARG_DST, x}});
  const auto soft = onednn::describe<dnnl::softmax_forward>(attributes, prop_kind::forward_training, scores, 1);
  time_primitive("softmax", soft, {{DNNL_ARG_SRC, scores}, {DNNL_ARG_DST, scores}});
  time_primitive("softmax_backward",
                 onednn::describe_backward<dnnl::softmax_backward>(attributes, soft, scores, scores, 1),
                 {{DNNL_ARG_DST, scores}, {DNNL_ARG_DIFF_DST, scores}, {DNNL_ARG_DIFF_SRC, scores}});
}

#else
void primitives() {}
#endif

// What an operation costs beside its arithmetic -----------------------------------------------------

/// A chain of additions of four numbers, without a tape, recorded, and recorded and walked back.
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
  each("100_tiny_operations_and_back/temper", [run](const Tensor& x) {
    Tape tape;
    tape.watch(x);
    tape.backward(sum(run(x)));
  });
}

/// The same chain of products with a matrix.
void tiny_linears() {
  benchmark::RegisterBenchmark("100_tiny_linears_and_back/temper",
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
  spatial();
  primitives();
  tiny();
  tiny_linears();
  return true;
}();

}  // namespace

}  // namespace temper::bench
