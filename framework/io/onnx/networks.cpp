// Products, normalization and recurrent layers.

#include <temper/autograd/ops/arrange.hpp>
#include <temper/autograd/ops/recurrent.hpp>
#include <temper/autograd/ops/shape.hpp>

#include "framework/io/onnx/export_internal.hpp"

namespace temper::detail::onnx {

namespace {

/// x with its last two axes exchanged.
Value swap_last_axes(const Value& x, int rank) {
  Integers order(static_cast<std::size_t>(rank));
  for (int i = 0; i < rank; ++i) order[static_cast<std::size_t>(i)] = i < rank - 2 ? i : 2 * rank - 3 - i;
  return transpose(x, order);
}

Value product(const Step& s) {
  const Value a = s.integer("transpose_a") != 0 ? swap_last_axes(s.in(0), s.rank(0)) : s.in(0);
  const Value b = s.integer("transpose_b") != 0 ? swap_last_axes(s.in(1), s.rank(1)) : s.in(1);
  return apply("MatMul", a, b);
}

Value linear(const Step& s) {
  if (s.rank() == 2) return s.graph().node("Gemm", {s.in(0), s.in(1), s.in(2)}, {{"transB", std::int64_t{1}}});
  const Value y = apply("MatMul", s.in(0), transpose(s.in(1), {1, 0}));
  return s.in(2) ? y + s.in(2) : y;
}

Emit softmax(const char* type) {
  return [type](const Step& s) { return s.graph().node(type, {s.in()}, {{"axis", s.integer("axis")}}); };
}

Value layer_norm(const Step& s) {
  return s.graph().node("LayerNormalization", {s.in(0), s.in(1), s.in(2)},
                        {{"axis", std::int64_t{-s.rank(1)}}, {"epsilon", s.number("eps")}});
}

Value rms_norm(const Step& s) {
  Integers axes;
  for (int axis = s.rank(0) - s.rank(1); axis < s.rank(0); ++axis) axes.push_back(axis);
  const Value x = s.in();
  return x * rsqrt(reduce("ReduceMean", x * x, axes, true) + s.number("eps")) * s.in(1);
}

/// By the running statistics; the channels are the last axis.
Value batch_norm(const Step& s) {
  if (s.integer("training") != 0) refuse(s.name(), "uses the statistics of the batch");
  const Value scale = rsqrt(s.value("running_var") + s.number("eps")) * s.in(1);
  const Value y = (s.in(0) - s.value("running_mean")) * scale + s.in(2);
  return s.in(3) ? y + s.in(3) : y;
}

Value group_norm(const Step& s) {
  const Sizes shape = s.shape();
  const std::int64_t groups = s.integer("groups"), channels = s.fixed(shape.back());
  std::int64_t places = 1;
  for (std::size_t axis = 1; axis + 1 < shape.size(); ++axis) places *= s.fixed(shape[axis]);
  const Value x = reshape(s.in(), {shape.front(), {places, 0}, {groups, 0}, {channels / groups, 0}});
  const Value difference = x - reduce("ReduceMean", x, {1, 3}, true);
  const Value variance = reduce("ReduceMean", difference * difference, {1, 3}, true);
  Value y = reshape(difference * rsqrt(variance + s.number("eps")), shape);
  if (s.in(1)) y = y * s.in(1);
  return s.in(2) ? y + s.in(2) : y;
}

/// Blocks of rows of x, each of `size`, in another order.
Value reorder(const Value& x, std::int64_t size, const Integers& order) {
  Tensor rows = empty({size * std::ssize(order)}, Dtype::i64);
  for (std::int64_t i = 0; i < rows.numel(); ++i) {
    rows.mutable_data<std::int64_t>()[i] = order[static_cast<std::size_t>(i / size)] * size + i % size;
  }
  return x.graph->node("Gather", {x, x.graph->constant(rows)}, {{"axis", std::int64_t{0}}});
}

/// Results and last states [T + states, N, H].
Value recurrent(const Step& s) {
  Graph& graph = s.graph();
  const auto cell = static_cast<RecurrentCell>(s.integer("cell"));
  const bool lstm = cell == RecurrentCell::lstm, gru = cell == RecurrentCell::gru;
  // Gates are i, f, g, o and r, z, n here, in ONNX i, o, f, g and z, r, n.
  const Integers order = lstm ? Integers{0, 3, 1, 2} : gru ? Integers{1, 0, 2} : Integers{0};
  const std::int64_t hidden = s.tensor(1).size(1), width = s.tensor(1).size(0);
  const auto gates = [&](const Value& x) { return reorder(x, hidden, order); };
  const auto with_direction = [&](const Value& x) { return apply("Unsqueeze", x, graph.integers({0})); };

  // ONNX has the product with the inputs' weight in the same node: that of the linear layer before, else the identity.
  const Value none = graph.constant(zeros({width}));
  Value x = s.in(0), weight = graph.constant(eye(width)), bias = none;
  if (const std::vector<Value> sum = graph.inputs_of(x, "Add"); sum.size() == 2) {
    if (const std::vector<Value> factors = graph.inputs_of(sum[0], "MatMul"); !factors.empty()) {
      const Value its_weight = graph.before(factors[1], "Transpose", "perm", {1, 0});
      const Tensor its_bias = graph.tensor_of(sum[1]);
      if (its_weight && its_bias.defined() && its_bias.shape() == Shape{width}) {
        x = factors[0];
        weight = its_weight;
        bias = sum[1];
      }
    }
  }
  const Value biases =
      graph.node("Concat", {gates(bias), gates(s.in(2) ? s.in(2) : none)}, {{"axis", std::int64_t{0}}});
  const Value lengths = s.value("lengths");
  std::vector<Value> inputs = {x,
                               with_direction(gates(weight)),
                               with_direction(gates(s.in(1))),
                               with_direction(biases),
                               lengths ? graph.node("Cast", {lengths}, {{"to", std::int64_t{6}}}) : Value{},
                               s.in(3) ? with_direction(s.in(3)) : Value{}};
  if (lstm) inputs.push_back(s.in(4) ? with_direction(s.in(4)) : Value{});
  std::vector<NodeAttribute> attributes = {
      {"hidden_size", hidden}, {"direction", std::string(s.integer("reverse") != 0 ? "reverse" : "forward")}};
  if (gru) attributes.push_back({"linear_before_reset", std::int64_t{1}});
  if (cell == RecurrentCell::relu) attributes.push_back({"activations", std::vector<std::string>{"Relu"}});
  const std::vector<Value> results = graph.nodes(lstm ? "LSTM" : gru ? "GRU" : "RNN", inputs, attributes, lstm ? 3 : 2);
  std::vector<Value> parts = {apply("Squeeze", results[0], graph.integers({1})), results[1]};
  if (lstm) parts.push_back(results[2]);
  return graph.node("Concat", parts, {{"axis", std::int64_t{0}}});
}

}  // namespace

void add_networks(Emitters& emitters) {
  emitters["matmul"] = product;
  emitters["linear"] = linear;
  emitters["linear_relu"] = [](const Step& s) { return apply("Relu", linear(s)); };
  emitters["linear_gelu"] = [](const Step& s) { return gelu(linear(s), s.integer("tanh") != 0); };
  emitters["linear_silu"] = [](const Step& s) { return silu(linear(s)); };
  emitters["softmax"] = softmax("Softmax");
  emitters["log_softmax"] = softmax("LogSoftmax");
  emitters["layer_norm"] = emitters["add_layer_norm"] = layer_norm;  // of a sum that is an operation itself
  emitters["rms_norm"] = rms_norm;
  emitters["batch_norm"] = batch_norm;
  emitters["batch_norm_relu"] = [](const Step& s) { return apply("Relu", batch_norm(s)); };
  emitters["group_norm"] = emitters["instance_norm"] = group_norm;
  emitters["recurrent"] = recurrent;
}

}  // namespace temper::detail::onnx
