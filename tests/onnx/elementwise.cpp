// Functions element by element, arithmetic, comparison, truth values, casts.

#include <cmath>

#include "tests/onnx/node.hpp"

namespace temper::onnx {

namespace {

using Unary = Tensor (*)(const Tensor&);
using Binary = Tensor (*)(const Tensor&, const Tensor&);

bool is_float(const Tensor& x) { return x.dtype() == Dtype::f32; }
Tensor whole(double value) { return from(std::vector<std::int64_t>{static_cast<std::int64_t>(value)}, {}); }
/// A number beside x.
Tensor beside(const Tensor& x, double value) { return is_float(x) ? scalar(static_cast<float>(value)) : whole(value); }

/// The second operand; before version 7 "axis" said where its first axis is in the first operand.
Tensor second(const Node& node) {
  const Tensor& b = node.in(1);
  if (!node.given("axis")) return b;
  Ints sizes = sizes_of(b.shape());
  const std::int64_t rank = node.in().rank(), first = node.get<std::int64_t>("axis", 0);
  while (first + static_cast<std::int64_t>(sizes.size()) < rank) sizes.push_back(1);
  return reshape(b, shape_of(sizes));
}

Tensor divided(const Tensor& a, const Tensor& b) { return is_float(a) ? div(a, b) : div(a, b, RoundingMode::trunc); }

Tensor power(const Tensor& base, const Tensor& exponent) {
  const Tensor y = pow(to(base, Dtype::f32), to(exponent, Dtype::f32));
  return is_float(base) ? y : to(round(y), base.dtype());
}

/// Of truth values, too.
Tensor same(const Tensor& a, const Tensor& b) {
  return a.dtype() == Dtype::boolean ? logical_not(logical_xor(a, b)) : equal(a, b);
}

Tensor cast(const Tensor& x, std::int64_t kind) {
  switch (kind) {
    case 1:
    case 11: return to(x, Dtype::f32);
    case 9: return to(x, Dtype::boolean);
    case 16: return to(to(to(x, Dtype::f32), Dtype::bf16), Dtype::f32);
    case 8: throw Missing("strings");
    case 10: throw Missing("casts to float16, which no tensor has");
    default: return to(x, Dtype::i64);
  }
}

Tensor shrunk(const Tensor& given, float lambda, float bias) {
  const Tensor x = to(given, Dtype::f32), zero = scalar(0.0f);
  const Tensor y = where(less(x, scalar(-lambda)), x + bias, where(greater(x, scalar(lambda)), x - bias, zero));
  return to(y, given.dtype());
}

Tensor clipped(const Node& node) {
  Tensor y = node.in();
  const bool by_inputs = node.opset >= 11 || node.inputs.size() > 1;
  const auto bound = [&](const char* name, std::size_t input, Binary choose) {
    if (by_inputs ? node.has(input) : node.given(name)) {
      y = choose(y, beside(y, by_inputs ? number(node.in(input)) : node.get<double>(name, 0)));
    }
  };
  bound("min", 1, maximum);
  bound("max", 2, minimum);
  return y;
}

Tensor infinite(const Node& node) {
  const Tensor& x = node.in();
  Tensor y = isinf(x);
  if (!node.get<int>("detect_negative", 1)) y = logical_and(y, greater(x, scalar(0.0f)));
  if (!node.get<int>("detect_positive", 1)) y = logical_and(y, less(x, scalar(0.0f)));
  return y;
}

Tensor quantized(const Node& node) {
  const bool bytes = !node.has(2) || node.dtypes[2] == "uint8";
  if (node.has(2) && !bytes && node.dtypes[2] != "int8") throw Missing("quantization to unknown bounds");
  const auto along = [&](const Tensor& x) {  // a scale for each channel
    if (x.numel() == 1) return reshape(to(x, Dtype::f32), Shape{});
    Ints sizes(static_cast<std::size_t>(node.in().rank()), 1);
    sizes[static_cast<std::size_t>(axis_of(node.get<std::int64_t>("axis", 1), node.in().rank()))] = x.numel();
    return reshape(to(x, Dtype::f32), shape_of(sizes));
  };
  if (node.op == "DequantizeLinear") {
    Tensor x = to(node.in(), Dtype::f32);
    if (node.has(2)) x = x - along(node.in(2));
    return x * along(node.in(1));
  }
  Tensor y = round(node.in() / along(node.in(1)));
  if (node.has(2)) y = y + along(node.in(2));
  return to(clamp(y, bytes ? 0.0f : -128.0f, bytes ? 255.0f : 127.0f), Dtype::i64);
}

}  // namespace

void add_elementwise(Operators& operators) {
  const std::vector<std::pair<const char*, Unary>> functions = {{"Abs", abs},
                                                                {"Acos", acos},
                                                                {"Acosh", acosh},
                                                                {"Asin", asin},
                                                                {"Asinh", asinh},
                                                                {"Atan", atan},
                                                                {"Atanh", atanh},
                                                                {"Ceil", ceil},
                                                                {"Cos", cos},
                                                                {"Cosh", cosh},
                                                                {"Erf", erf},
                                                                {"Exp", exp},
                                                                {"Floor", floor},
                                                                {"HardSwish", hardswish},
                                                                {"IsNaN", isnan},
                                                                {"Log", log},
                                                                {"Neg", neg},
                                                                {"Not", logical_not},
                                                                {"Reciprocal", reciprocal},
                                                                {"Relu", relu},
                                                                {"Round", round},
                                                                {"Sigmoid", sigmoid},
                                                                {"Sign", sign},
                                                                {"Sin", sin},
                                                                {"Sinh", sinh},
                                                                {"Softplus", softplus},
                                                                {"Softsign", softsign},
                                                                {"Sqrt", sqrt},
                                                                {"Tan", tan},
                                                                {"Tanh", tanh}};
  for (const auto& [name, function] : functions) {
    operators[name] = [function](const Node& node) { return Tensors{function(node.in())}; };
  }
  const std::vector<std::pair<const char*, Binary>> pairs = {{"Add", add},
                                                             {"Sub", sub},
                                                             {"Mul", mul},
                                                             {"Div", divided},
                                                             {"Pow", power},
                                                             {"And", logical_and},
                                                             {"Or", logical_or},
                                                             {"Xor", logical_xor},
                                                             {"Equal", same},
                                                             {"Less", less},
                                                             {"LessOrEqual", less_equal},
                                                             {"Greater", greater},
                                                             {"GreaterOrEqual", greater_equal}};
  for (const auto& [name, function] : pairs) {
    operators[name] = [function](const Node& node) { return Tensors{function(node.in(), second(node))}; };
  }
  const std::vector<std::pair<const char*, Binary>> folds = {{"Max", maximum}, {"Min", minimum}, {"Sum", add}};
  for (const auto& [name, function] : folds) {
    operators[name] = [function](const Node& node) {
      Tensor y = node.in();
      for (std::size_t i = 1; i < node.inputs.size(); ++i) y = function(y, node.in(i));
      return Tensors{y};
    };
  }
  operators["Mean"] = [](const Node& node) {
    Tensor y = node.in();
    for (std::size_t i = 1; i < node.inputs.size(); ++i) y = y + node.in(i);
    return Tensors{y / node.inputs.size()};
  };
  operators["Mod"] = [](const Node& node) {
    return Tensors{node.get<int>("fmod", 0) ? fmod(node.in(), node.in(1)) : remainder(node.in(), node.in(1))};
  };
  operators["BitShift"] = [](const Node& node) {
    const bool left = node.get<std::string>("direction", "") == "LEFT";
    return Tensors{left ? bitwise_left_shift(node.in(), node.in(1)) : bitwise_right_shift(node.in(), node.in(1))};
  };
  operators["PRelu"] = [](const Node& node) {
    const Tensor& x = node.in();
    Tensor slope = node.in(1);
    if (node.opset < 7 && slope.numel() > 1) {  // one for each channel
      Ints sizes(static_cast<std::size_t>(x.rank() - 1), 1);
      sizes[0] = slope.numel();
      slope = reshape(slope, shape_of(sizes));
    }
    return Tensors{relu(x) - slope * relu(neg(x))};
  };
  operators["Where"] = [](const Node& node) { return Tensors{where(node.in(), node.in(1), node.in(2))}; };
  operators["Identity"] = [](const Node& node) { return Tensors{node.in()}; };
  operators["Clip"] = [](const Node& node) { return Tensors{clipped(node)}; };
  operators["IsInf"] = [](const Node& node) { return Tensors{infinite(node)}; };
  operators["Elu"] = [](const Node& node) { return Tensors{elu(node.in(), node.get("alpha", 1.0f))}; };
  operators["Celu"] = [](const Node& node) { return Tensors{celu(node.in(), node.get("alpha", 1.0f))}; };
  operators["Selu"] = [](const Node& node) {
    return Tensors{elu(node.in(), node.get("alpha", 1.67326319217681884765625f)) *
                   node.get("gamma", 1.05070102214813232421875f)};
  };
  operators["LeakyRelu"] = [](const Node& node) { return Tensors{leaky_relu(node.in(), node.get("alpha", 0.01f))}; };
  operators["ThresholdedRelu"] = [](const Node& node) {
    return Tensors{threshold(node.in(), node.get("alpha", 1.0f), 0.0f)};
  };
  operators["HardSigmoid"] = [](const Node& node) {
    return Tensors{clamp(node.in() * node.get("alpha", 0.2f) + node.get("beta", 0.5f), 0.0f, 1.0f)};
  };
  operators["Shrink"] = [](const Node& node) {
    return Tensors{shrunk(node.in(), node.get("lambd", 0.5f), node.get("bias", 0.0f))};
  };
  operators["Cast"] = [](const Node& node) { return Tensors{cast(node.in(), node.get<std::int64_t>("to", 0))}; };
  operators["CastLike"] = [](const Node& node) {
    const std::map<std::string, std::int64_t> kinds = {{"float16", 10}, {"bfloat16", 16}, {"bool", 9}};
    const auto named = kinds.find(node.dtypes[1]);
    return Tensors{named != kinds.end() ? cast(node.in(), named->second) : to(node.in(), node.in(1).dtype())};
  };
  operators["QuantizeLinear"] =
      operators["DequantizeLinear"] = [](const Node& node) { return Tensors{quantized(node)}; };
}

}  // namespace temper::onnx
