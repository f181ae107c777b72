// Normalization, dropout, recurrent networks, rules of optimizers.

#include <algorithm>
#include <cmath>

#include <temper/autograd/tape.hpp>

#include "tests/onnx/node.hpp"

namespace temper::onnx {

namespace {

Tensors batch_normalized(const Node& node) {
  const Tensor x = channels_last(node.in());
  const float momentum = node.get("momentum", 0.9f);
  const BatchNormOptions options{.momentum = 1 - momentum, .eps = node.get("epsilon", 1e-5f)};
  Tensor mean = node.in(3).clone(), variance = node.in(4).clone();
  if (!node.get<int>("training_mode", 0)) {
    return {channels_first(batch_norm(x, node.in(1), node.in(2), mean, variance, options))};
  }
  const NoTape training(Mode::train);
  const Tensor y = channels_first(batch_norm(x, node.in(1), node.in(2), mean, variance, options));
  return {y, mean, variance};
}

Tensors layer_normalized(const Node& node) {
  const Tensor& x = node.in();
  const int axis = axis_of(node.get<std::int64_t>("axis", -1), x.rank());
  const float eps = node.get("epsilon", 1e-5f);
  const Tensor y = layer_norm(x, node.in(1), node.has(2) ? node.in(2) : Tensor(), {.eps = eps});
  Ints axes;
  for (int i = axis; i < x.rank(); ++i) axes.push_back(i);
  const Tensor inverse = rsqrt(var(x, axes_of(axes), {.correction = 0, .keepdim = true}) + eps);
  return {y, mean(x, axes_of(axes), {.keepdim = true}), inverse};
}

Tensors dropped(const Node& node) {
  const bool training = node.has(2) && number(node.in(2)) != 0;
  const double ratio = node.has(1) ? number(node.in(1)) : node.get("ratio", 0.5);
  if (training && ratio != 0) throw Missing("a random stream of its own");
  return {node.in(), to(ones(node.in().shape()), Dtype::boolean)};
}

/// The blocks of rows of a weight [gates * H, ...] in another order.
Tensor reordered(const Tensor& x, std::int64_t size, const Ints& order) {
  Tensors blocks;
  for (const std::int64_t gate : order) blocks.push_back(slice(x, 0, gate * size, (gate + 1) * size));
  return concat(blocks, 0);
}

Tensor direction_of(const Tensor& x, std::int64_t which) { return squeeze(slice(x, 0, which, which + 1), 0); }

Tensors recurrent_network(const Node& node) {
  if (node.has(7)) throw Missing("peepholes");
  const bool lstm = node.op == "LSTM", gru = node.op == "GRU", by_batch = node.get<int>("layout", 0) != 0;
  // ONNX has the gates i, o, f, c and z, r, h; here they are i, f, g, o and r, z, n.
  const Ints order = lstm ? Ints{0, 2, 3, 1} : gru ? Ints{1, 0, 2} : Ints{0};
  const Tensor x = by_batch ? transpose(node.in(), 0, 1) : node.in();
  const std::int64_t h = node.get<std::int64_t>("hidden_size", 0), directions = node.in(1).size(0);
  const std::string direction = node.get<std::string>("direction", "forward");
  Tensors ys, hs, cs;
  for (std::int64_t d = 0; d < directions; ++d) {
    RecurrentInputs in;
    Tensor bias;
    if (node.has(3)) {
      const Tensor both = direction_of(node.in(3), d);
      bias = reordered(slice(both, 0, 0, both.size(0) / 2), h, order);
      in.bias_hh = reordered(slice(both, 0, both.size(0) / 2, both.size(0)), h, order);
    }
    in.gates = linear(x, reordered(direction_of(node.in(1), d), h, order), bias);
    in.weight_hh = reordered(direction_of(node.in(2), d), h, order);
    if (node.has(4)) in.lengths = node.in(4);
    if (node.has(5)) in.h0 = direction_of(node.in(5), d);
    if (node.has(6)) in.c0 = direction_of(node.in(6), d);
    const bool before = gru && node.get<int>("linear_before_reset", 0) == 0;
    const bool same = x.size(0) == 1 && !in.h0.defined();  // r is then applied to the bias alone
    if (before && !(same && (!in.bias_hh.defined() || number(max(abs(in.bias_hh))) == 0))) {
      throw Missing("a GRU that resets before the product");
    }
    const RecurrentCell cell = lstm ? RecurrentCell::lstm : gru ? RecurrentCell::gru : RecurrentCell::tanh;
    const RecurrentOutputs out = recurrent(cell, in, direction == "reverse" || d == 1);
    ys.push_back(out.y);
    hs.push_back(out.h);
    if (lstm) cs.push_back(out.c);
  }
  // [T, directions, N, H], or [N, T, directions, H] by batch.
  const Tensor y = stack(ys, 1), last = stack(hs, 0);
  Tensors result = {by_batch ? permute(y, {2, 0, 1, 3}) : y, by_batch ? transpose(last, 0, 1) : last};
  if (lstm) result.push_back(by_batch ? transpose(stack(cs, 0), 0, 1) : stack(cs, 0));
  return result;
}

/// The rules of ai.onnx.preview.training by arithmetic: R, T, then all parameters, all gradients, and what is kept.
Tensors optimized(const Node& node) {
  const std::size_t kinds = node.op == "Adam" ? 4 : 3, count = (node.inputs.size() - 2) / kinds;
  const double rate = number(node.in()), step = number(node.in(1));
  const float decay = node.get("norm_coefficient", 0.0f);
  Tensors xs, first, second;
  for (std::size_t i = 0; i < count; ++i) {
    const Tensor &x = node.in(2 + i), g = node.in(2 + count + i) + decay * x, kept = node.in(2 + 2 * count + i);
    if (node.op == "Adagrad") {
      const Tensor sums = kept + square(g);
      first.push_back(sums);
      xs.push_back(x -
                   rate / (1 + step * node.get("decay_factor", 0.0)) * g / (sqrt(sums) + node.get("epsilon", 0.0f)));
    } else if (node.op == "Momentum") {
      const float alpha = node.get("alpha", 0.0f), beta = step > 0 ? node.get("beta", 1.0f) : 1.0f;
      const Tensor v = alpha * kept + beta * g;
      first.push_back(v);
      xs.push_back(x - rate * (node.get<std::string>("mode", "") == "nesterov" ? g + alpha * v : v));
    } else {
      const float a = node.get("alpha", 0.9f), b = node.get("beta", 0.999f);
      const Tensor m = a * kept + (1 - a) * g, v = b * node.in(2 + 3 * count + i) + (1 - b) * square(g);
      const double corrected = step > 0 ? rate * std::sqrt(1 - std::pow(b, step)) / (1 - std::pow(a, step)) : rate;
      first.push_back(m);
      second.push_back(v);
      xs.push_back(x - corrected * m / (sqrt(v) + node.get("epsilon", 0.0f)));
    }
  }
  xs.insert(xs.end(), first.begin(), first.end());
  xs.insert(xs.end(), second.begin(), second.end());
  return xs;
}

}  // namespace

void add_networks(Operators& operators) {
  operators["BatchNormalization"] = batch_normalized;
  operators["LayerNormalization"] = layer_normalized;
  operators["InstanceNormalization"] = [](const Node& node) {
    return Tensors{channels_first(
        instance_norm(channels_last(node.in()), node.in(1), node.in(2), {.eps = node.get("epsilon", 1e-5f)}))};
  };
  operators["MeanVarianceNormalization"] = [](const Node& node) {
    const Tensor& x = node.in();
    const Axes axes = axes_of(node.get("axes", Ints{0, 2, 3}));
    const Tensor middle = x - mean(x, axes, {.keepdim = true});
    return Tensors{middle / (temper::std(x, axes, {.correction = 0, .keepdim = true}) + 1e-9)};
  };
  operators["Dropout"] = dropped;
  operators["LSTM"] = operators["GRU"] = operators["RNN"] = recurrent_network;
  operators["Adam"] = operators["Adagrad"] = operators["Momentum"] = optimized;
}

}  // namespace temper::onnx
