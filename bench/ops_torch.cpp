// LibTorch's side of ops.cpp: the functions that its autograd calls in forward and backward.

#include <benchmark/benchmark.h>
#include <omp.h>
#include <torch/torch.h>

#include <cmath>
#include <functional>
#include <string>
#include <tuple>
#include <utility>

#include "bench/op_shapes.hpp"

namespace temper::bench {

namespace {

using namespace op_shapes;
using benchmark::State;
using torch::Tensor;

/// Calls `make`, which creates the operands and returns the function to time.
template <class Make>
void time(const char* name, Make make) {
  benchmark::RegisterBenchmark((std::string(name) + "/torch").c_str(),
                               [make](State& state) {
                                 at::set_num_threads(omp_get_max_threads());  // default: one
                                 torch::NoGradGuard pause;
                                 torch::manual_seed(1);
                                 auto body = make();
                                 body();
                                 for (auto _ : state) benchmark::DoNotOptimize(body());
                               })
      ->UseRealTime()
      ->Unit(benchmark::kMicrosecond);
}

Tensor noise(at::IntArrayRef shape) { return torch::rand(shape) * 2 - 1; }

void elementwise() {
  time("relu", [] { return [x = noise({tokens, width})] { return at::relu(x); }; });
  time("relu_backward", [] {
    return [x = noise({tokens, width}), dy = noise({tokens, width})] { return at::threshold_backward(dy, x, 0); };
  });
  for (const bool tanh : {false, true}) {
    const std::string form = tanh ? "tanh" : "none", name = tanh ? "gelu_tanh" : "gelu";
    time(name.c_str(), [form] { return [form, x = noise({tokens, width})] { return at::gelu(x, form); }; });
    time((name + "_backward").c_str(), [form] {
      return [form, x = noise({tokens, width}), dy = noise({tokens, width})] { return at::gelu_backward(dy, x, form); };
    });
  }
  time("silu", [] { return [x = noise({tokens, width})] { return at::silu(x); }; });
  time("silu_backward", [] {
    return [x = noise({tokens, width}), dy = noise({tokens, width})] { return at::silu_backward(dy, x); };
  });
  time("bias_gelu", [] {
    return [x = noise({tokens, hidden}), b = noise({hidden})] { return at::gelu(at::add(x, b)); };
  });
  time("bias_gelu_backward", [] {
    return [x = noise({tokens, hidden}), dy = noise({tokens, hidden})] {
      const Tensor dx = at::gelu_backward(dy, x);
      return std::pair(dx, at::sum(dx, 0));
    };
  });
  time("add", [] { return [a = noise({tokens, width}), b = noise({tokens, width})] { return at::add(a, b); }; });
  time("bias_gradient", [] { return [x = noise({tokens, width})] { return at::sum(x, 0); }; });
}

void rows() {
  time("layer_norm", [] {
    return [x = noise({tokens, width}), w = noise({width}), b = noise({width})] {
      return at::native_layer_norm(x, {width}, w, b, 1e-5);
    };
  });
  time("layer_norm_backward", [] {
    const Tensor x = noise({tokens, width}), w = noise({width}), b = noise({width});
    const auto [y, mean, inverse] = at::native_layer_norm(x, {width}, w, b, 1e-5);
    return [x, w, b, mean = mean, inverse = inverse, dy = noise({tokens, width})] {
      return at::native_layer_norm_backward(dy, x, {width}, mean, inverse, w, b, {true, true, true});
    };
  });
  time("add_layer_norm", [] {
    return [x = noise({tokens, width}), y = noise({tokens, width}), w = noise({width}), b = noise({width})] {
      const Tensor sum = at::add(x, y);
      return std::pair(sum, at::native_layer_norm(sum, {width}, w, b, 1e-5));
    };
  });
  time("add_layer_norm_backward", [] {
    const Tensor x = noise({tokens, width}), w = noise({width}), b = noise({width});
    const auto [y, mean, inverse] = at::native_layer_norm(x, {width}, w, b, 1e-5);
    return [x, w, b, mean = mean, inverse = inverse, dy = noise({tokens, width}),
            dsum = noise({tokens, width})]() mutable {
      const auto [dx, dw, db] = at::native_layer_norm_backward(dy, x, {width}, mean, inverse, w, b, {true, true, true});
      return std::tuple(dsum.add_(dx), dw, db);
    };
  });
  time("softmax", [] { return [x = noise({attention_rows, attention})] { return at::softmax(x, 1); }; });
  time("softmax_backward", [] {
    return [y = at::softmax(noise({attention_rows, attention}), 1), dy = noise({attention_rows, attention})] {
      return at::_softmax_backward_data(dy, y, 1, torch::kFloat);
    };
  });
  const auto targets = [] { return torch::arange(predictions) * 7919 % vocabulary; };
  time("cross_entropy", [targets] {
    return [x = noise({predictions, vocabulary}), t = targets()] { return at::cross_entropy_loss(x, t); };
  });
  time("cross_entropy_backward", [targets] {
    const Tensor log_p = at::log_softmax(noise({predictions, vocabulary}), 1), t = targets();
    const auto [loss, weight] = at::nll_loss_forward(log_p, t, {}, at::Reduction::Mean, -100);
    return [log_p, t, weight = weight, one = torch::ones({})] {
      const Tensor d = at::nll_loss_backward(one, log_p, t, {}, at::Reduction::Mean, -100, weight);
      return at::_log_softmax_backward_data(d, log_p, 1, torch::kFloat);
    };
  });
  const auto ids = [] { return torch::arange(tokens) * 7919 % 20000; };
  time("embedding", [ids] { return [w = noise({20000, width}), i = ids()] { return at::embedding(w, i); }; });
  time("embedding_backward", [ids] {
    return [dy = noise({tokens, width}), i = ids()] { return at::embedding_dense_backward(dy, i, 20000, -1, false); };
  });
}

void products() {
  time("linear", [] {
    return [x = noise({tokens, width}), w = noise({width, width}), b = noise({width})] { return at::linear(x, w, b); };
  });
  time("linear_backward_input", [] {
    return [dy = noise({tokens, width}), w = noise({width, width})] { return at::mm(dy, w); };
  });
  time("linear_backward_weight", [] {
    return [dy = noise({tokens, width}), x = noise({tokens, width})] { return at::mm(dy.t(), x); };
  });
  time("linear_backward_weight_added", [] {
    return [dy = noise({tokens, width}), x = noise({tokens, width}), dw = torch::zeros({width, width})]() mutable {
      return dw.add_(at::mm(dy.t(), x));
    };
  });
  time("linear_gelu", [] {
    return [x = noise({tokens, width}), w = noise({hidden, width}), b = noise({hidden})] {
      return at::gelu(at::linear(x, w, b));
    };
  });
}

void attentions() {
  const auto operand = [] { return noise({heads, attention, head_width}); };
  const auto probabilities = [](const Tensor& q, const Tensor& k, const Tensor& mask) {
    return at::softmax(at::baddbmm(mask, q, k.transpose(1, 2), 1, 0.125), 2);
  };
  const auto mask = [] { return torch::full({attention, attention}, -INFINITY).triu(1); };
  time("causal_attention", [operand, probabilities, mask] {
    return [probabilities, q = operand(), k = operand(), v = operand(), m = mask()] {
      return at::bmm(probabilities(q, k, m), v);
    };
  });
  time("causal_attention_backward", [operand, probabilities, mask] {
    const Tensor q = operand(), k = operand(), v = operand();
    return [q, k, v, p = probabilities(q, k, mask()), dy = operand()] {
      const Tensor dv = at::bmm(p.transpose(1, 2), dy), dp = at::bmm(dy, v.transpose(1, 2));
      const Tensor ds = at::_softmax_backward_data(dp, p, 2, torch::kFloat).mul_(0.125);
      return std::tuple(at::bmm(ds, k), at::bmm(ds.transpose(1, 2), q), dv);
    };
  });
}

void spatial() {
  const auto image = [](long channels, long size) {
    return noise({images, channels, size, size}).contiguous(at::MemoryFormat::ChannelsLast);
  };
  time("conv", [image] {
    return [x = image(in, side), w = noise({out, in, 3, 3}).contiguous(at::MemoryFormat::ChannelsLast),
            b = noise({out})] { return at::conv2d(x, w, b, 1, 1); };
  });
  const auto backward = [image](std::array<bool, 3> wanted) {
    return [wanted, x = image(in, side), dy = image(out, side),
            w = noise({out, in, 3, 3}).contiguous(at::MemoryFormat::ChannelsLast)] {
      return at::convolution_backward(dy, x, w, at::IntArrayRef{out}, {1, 1}, {1, 1}, {1, 1}, false, {0, 0}, 1, wanted);
    };
  };
  time("conv_backward_input", [backward] { return backward({true, false, false}); });
  time("conv_backward_weight", [backward] { return backward({false, true, false}); });
  time("max_pool", [image] {
    return [x = image(in, 2 * side)] { return at::max_pool2d_with_indices(x, {2, 2}, {2, 2}); };
  });
  time("max_pool_backward", [image] {
    const Tensor x = image(in, 2 * side);
    const auto [y, which] = at::max_pool2d_with_indices(x, {2, 2}, {2, 2});
    return [x, which = which, dy = image(in, side)] {
      return at::max_pool2d_with_indices_backward(dy, x, {2, 2}, {2, 2}, {0, 0}, {1, 1}, false, which);
    };
  });
}

void tiny() {
  const auto chain = [](bool grad, bool back) {
    return [grad, back, x = torch::ones({4})] {
      torch::AutoGradMode mode(grad);
      const Tensor leaf = x.detach().requires_grad_(grad);
      Tensor y = leaf;
      for (int i = 0; i < 100; ++i) y = y + leaf;
      if (back) y.sum().backward();
      return y;
    };
  };
  time("100_tiny_operations", [chain] { return chain(false, false); });
  time("100_tiny_operations_recorded", [chain] { return chain(true, false); });
  time("100_tiny_operations_and_backward", [chain] { return chain(true, true); });
}

[[maybe_unused]] const bool registered = [] {
  elementwise();
  rows();
  products();
  attentions();
  spatial();
  tiny();
  return true;
}();

}  // namespace

}  // namespace temper::bench
