// Reductions, products of matrices, and losses.

#include <algorithm>
#include <cmath>
#include <string>

#include "tests/onnx/node.hpp"

namespace temper::onnx {

namespace {

using Reduction2 = Tensor (*)(const Tensor& x, const Axes& axes, ReduceOptions options);

Tensors reduced(const Node& node, Reduction2 function) {
  const Ints axes = node.list("axes", 1);
  if (axes.empty() && node.get<int>("noop_with_empty_axes", 0)) return {node.in()};
  return {function(node.in(), axes_of(axes), {.keepdim = node.get<int>("keepdims", 1) != 0})};
}

Tensors extreme(const Node& node, bool largest) {
  const ArgOptions options{.keepdim = node.get<int>("keepdims", 1) != 0,
                           .select_last_index = node.get<int>("select_last_index", 0) != 0};
  const auto axis = static_cast<int>(node.get<std::int64_t>("axis", 0));
  return {largest ? argmax(node.in(), axis, options) : argmin(node.in(), axis, options)};
}

/// NumPy's product: vectors are rows on the left and columns on the right.
Tensor product(const Tensor& left, const Tensor& right) {
  const Tensor a = left.rank() == 1 ? unsqueeze(left, 0) : left, b = right.rank() == 1 ? unsqueeze(right, -1) : right;
  Tensor y = matmul(a, b);
  if (right.rank() == 1) y = squeeze(y, -1);
  return left.rank() == 1 ? squeeze(y, right.rank() == 1 ? -1 : -2) : y;
}

Tensor gemm(const Node& node) {
  Tensor y = matmul(node.in(), node.in(1),
                    {.transpose_a = node.get<int>("transA", 0) != 0, .transpose_b = node.get<int>("transB", 0) != 0});
  if (const float alpha = node.get("alpha", 1.0f); alpha != 1.0f) y = y * alpha;
  return node.has(2) ? y + node.in(2) * node.get("beta", 1.0f) : y;
}

/// f over one axis; before version 13 over all from it on, together.
Tensor along(const Node& node, Tensor (*function)(const Tensor&, int)) {
  const Tensor& x = node.in();
  const int axis = axis_of(node.get<std::int64_t>("axis", node.opset >= 13 ? -1 : 1), x.rank());
  if (node.opset >= 13) return function(x, axis);
  std::int64_t rows = 1;
  for (int i = 0; i < axis; ++i) rows *= x.size(i);
  return reshape(function(reshape(x, Shape{rows, x.numel() / rows}), 1), x.shape());
}

Tensor hardmax(const Tensor& x, int axis) {
  const Tensor last = transpose(x, axis, -1);
  return transpose(to(one_hot(argmax(last, -1), last.size(-1)), Dtype::f32), axis, -1);
}

Reduction reduction_of(const Node& node) {
  const std::string name = node.get<std::string>("reduction", "mean");
  return name == "none" ? Reduction::none : name == "sum" ? Reduction::sum : Reduction::mean;
}

Tensor einsum_of(const Node& node) {
  std::string equation = node.get<std::string>("equation", "");
  std::erase(equation, ' ');
  const std::string left = equation.substr(0, equation.find("->"));
  for (const char letter : left) {
    if (letter == '.') throw Missing("einsum with ...");
    if (letter != ',' && letter != '-' && std::ranges::count(left.substr(0, left.find(',')), letter) > 1) {
      throw Missing("einsum with a letter twice in one operand");
    }
  }
  return einsum(equation, std::span<const Tensor>(node.inputs));
}

/// What a product of bytes multiplies: x less its zero, exactly, as f32.
Tensor centred(const Tensor& x, const Tensor& zero) {
  const Tensor y = to(x, Dtype::f32);
  return zero.defined() ? y - to(zero, Dtype::f32) : y;
}

}  // namespace

void add_reductions(Operators& operators) {
  const std::vector<std::pair<const char*, Reduction2>> reductions = {
      {"ReduceSum", sum},
      {"ReduceMean", mean},
      {"ReduceMax", max},
      {"ReduceMin", min},
      {"ReduceProd", prod},
      {"ReduceLogSumExp", logsumexp},
      {"ReduceL1", [](const Tensor& x, const Axes& axes, ReduceOptions options) { return sum(abs(x), axes, options); }},
      {"ReduceL2", [](const Tensor& x, const Axes& axes, ReduceOptions options) { return norm(x, 2, axes, options); }},
      {"ReduceLogSum",
       [](const Tensor& x, const Axes& axes, ReduceOptions options) { return log(sum(x, axes, options)); }},
      {"ReduceSumSquare",
       [](const Tensor& x, const Axes& axes, ReduceOptions options) { return sum(square(x), axes, options); }}};
  for (const auto& [name, function] : reductions) {
    operators[name] = [function](const Node& node) { return reduced(node, function); };
  }
  operators["ArgMax"] = [](const Node& node) { return extreme(node, true); };
  operators["ArgMin"] = [](const Node& node) { return extreme(node, false); };
  operators["MatMul"] = [](const Node& node) { return Tensors{product(node.in(), node.in(1))}; };
  operators["Gemm"] = [](const Node& node) { return Tensors{gemm(node)}; };
  operators["Einsum"] = [](const Node& node) { return Tensors{einsum_of(node)}; };
  operators["MatMulInteger"] = [](const Node& node) {
    const auto zero = [&](std::size_t i) { return node.has(i) ? node.in(i) : Tensor(); };
    return Tensors{to(product(centred(node.in(), zero(2)), centred(node.in(1), zero(3))), Dtype::i64)};
  };
  operators["Softmax"] = [](const Node& node) { return Tensors{along(node, softmax)}; };
  operators["LogSoftmax"] = [](const Node& node) { return Tensors{along(node, log_softmax)}; };
  operators["Hardmax"] = [](const Node& node) { return Tensors{along(node, hardmax)}; };
  operators["NegativeLogLikelihoodLoss"] = [](const Node& node) {
    return Tensors{nll_loss(channels_last(node.in()), to(node.in(1), Dtype::i64),
                            {.ignore_index = node.get<std::int64_t>("ignore_index", -100),
                             .reduction = reduction_of(node),
                             .weight = node.has(2) ? node.in(2) : Tensor()})};
  };
  operators["SoftmaxCrossEntropyLoss"] = [](const Node& node) {
    const Tensor logits = channels_last(node.in());
    return Tensors{cross_entropy(logits, to(node.in(1), Dtype::i64),
                                 {.ignore_index = node.get<std::int64_t>("ignore_index", -100),
                                  .reduction = reduction_of(node),
                                  .weight = node.has(2) ? node.in(2) : Tensor()}),
                   channels_first(log_softmax(logits, -1))};
  };
  for (const char* const name : {"HannWindow", "HammingWindow", "BlackmanWindow"}) {
    operators[name] = [](const Node& node) {
      const auto size = static_cast<std::int64_t>(number(node.in()));
      const double period = static_cast<double>(node.get<int>("periodic", 1) ? size : size - 1);
      const Tensor angle = to(arange(size), Dtype::f32) * (2 * 3.14159265358979 / period);
      if (node.op == "HannWindow") return Tensors{0.5 - 0.5 * cos(angle)};
      if (node.op == "HammingWindow") return Tensors{25.0 / 46 - 21.0 / 46 * cos(angle)};
      return Tensors{0.42 - 0.5 * cos(angle) + 0.08 * cos(2 * angle)};
    };
  }
}

}  // namespace temper::onnx
