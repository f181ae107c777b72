// Functions of each element, comparisons, and conversions.

#include <cmath>
#include <limits>
#include <numbers>

#include <temper/autograd/ops/cast.hpp>
#include <temper/autograd/ops/divide.hpp>

#include "framework/io/onnx/export_internal.hpp"

namespace temper::detail::onnx {

Value gelu(const Value& x, bool by_tanh) {
  constexpr float sqrt_half = 0.70710678f, sqrt_two_over_pi = 0.79788456f;
  const Value share =
      by_tanh ? apply("Tanh", (x + x * x * x * 0.044715f) * sqrt_two_over_pi) : apply("Erf", x * sqrt_half);
  return x * (share + 1.0f) * 0.5f;
}

Value silu(const Value& x) { return x * apply("Sigmoid", x); }

Value rsqrt(const Value& x) { return apply("Reciprocal", apply("Sqrt", x)); }

namespace {

Value truncate(const Value& x) { return apply("Sign", x) * apply("Floor", apply("Abs", x)); }

bool whole(const Step& s) { return s.y().dtype() == Dtype::i64; }

/// One number of a dtype.
Value element(const Step& s, double value, Dtype dtype) {
  return s.graph().constant(to(scalar(static_cast<float>(value)), dtype));
}

/// An operation of two tensors or, if it has a factor and a shift, of a tensor and a number.
Emit arithmetic(const char* type) {
  return [type](const Step& s) {
    if (!s.has("factor")) return apply(type, s.in(0), s.in(1));
    const float factor = s.number("factor"), shift = s.number("shift");
    const Value x = factor == 1.0f ? s.in() : s.in() * factor;
    return shift == 0.0f ? x : x + shift;
  };
}

Value quotient(const Step& s) {
  if (s.has("divisor")) return s.in() / s.number("divisor");
  if (s.has("a")) return s.graph().number(s.number("a")) / s.in();
  const Value a = s.in(0), b = s.in(1);
  if (!s.has("rounding")) return a / b;
  const bool down = s.integer("rounding") == static_cast<std::int64_t>(RoundingMode::floor);
  if (whole(s)) return down ? (a - apply("Mod", a, b)) / b : a / b;
  return down ? apply("Floor", a / b) : truncate(a / b);
}

Value power(const Step& s) {
  if (!s.has("exponent")) return apply("Pow", s.in(0), s.in(1));
  return apply("Pow", s.in(), s.graph().number(s.number("exponent")));
}

Value clip(const Step& s) {
  return s.graph().node("Clip", {s.in(), s.graph().number(s.number("a")), s.graph().number(s.number("b"))});
}

Value shrink(const Step& s, float bias) {
  return s.graph().node("Shrink", {s.in()}, {{"lambd", s.number("a")}, {"bias", bias}});
}

Value with_alpha(const Step& s, const char* type) { return s.graph().node(type, {s.in()}, {{"alpha", s.number("a")}}); }

Value choose(const Value& condition, const Value& a, const Value& b) {
  return a.graph->node("Where", {condition, a, b});
}

/// x in the dtype of y; f32 and bf16 are one.
Value cast(const Step& s) {
  const std::int64_t type = element_type(s.y().dtype());
  return element_type(s.tensor().dtype()) == type ? s.in() : s.graph().node("Cast", {s.in()}, {{"to", type}});
}

Value gate(const Step& s, Value (*of)(const Value&), std::size_t half) {
  const std::vector<Value> halves = s.graph().nodes("Split", {s.in()}, {{"axis", std::int64_t{-1}}}, 2);
  return of(halves[half]) * halves[1 - half];
}

}  // namespace

void add_elementwise(Emitters& emitters) {
  constexpr std::pair<const char*, const char*> same_functions[] = {{"neg", "Neg"},
                                                                    {"exp", "Exp"},
                                                                    {"log", "Log"},
                                                                    {"sqrt", "Sqrt"},
                                                                    {"abs", "Abs"},
                                                                    {"relu", "Relu"},
                                                                    {"tanh", "Tanh"},
                                                                    {"sigmoid", "Sigmoid"},
                                                                    {"softplus", "Softplus"},
                                                                    {"sin", "Sin"},
                                                                    {"cos", "Cos"},
                                                                    {"tan", "Tan"},
                                                                    {"asin", "Asin"},
                                                                    {"acos", "Acos"},
                                                                    {"atan", "Atan"},
                                                                    {"sinh", "Sinh"},
                                                                    {"cosh", "Cosh"},
                                                                    {"asinh", "Asinh"},
                                                                    {"acosh", "Acosh"},
                                                                    {"atanh", "Atanh"},
                                                                    {"erf", "Erf"},
                                                                    {"sign", "Sign"},
                                                                    {"floor", "Floor"},
                                                                    {"ceil", "Ceil"},
                                                                    {"round", "Round"},
                                                                    {"isnan", "IsNaN"},
                                                                    {"isinf", "IsInf"},
                                                                    {"reciprocal", "Reciprocal"},
                                                                    {"softsign", "Softsign"},
                                                                    {"clone", "Identity"},
                                                                    {"logical_not", "Not"},
                                                                    {"hardswish", "HardSwish"},
                                                                    {"stop_gradient", "Identity"}};
  for (const auto& each : same_functions) {
    emitters[each.first] = [type = each.second](const Step& s) { return apply(type, s.in()); };
  }
  constexpr std::pair<const char*, const char*> same_of_two[] = {{"maximum", "Max"},
                                                                 {"minimum", "Min"},
                                                                 {"equal", "Equal"},
                                                                 {"less", "Less"},
                                                                 {"greater", "Greater"},
                                                                 {"less_equal", "LessOrEqual"},
                                                                 {"greater_equal", "GreaterOrEqual"},
                                                                 {"logical_and", "And"},
                                                                 {"logical_or", "Or"},
                                                                 {"logical_xor", "Xor"}};
  for (const auto& each : same_of_two) {
    emitters[each.first] = [type = each.second](const Step& s) { return apply(type, s.in(0), s.in(1)); };
  }
  emitters["add"] = arithmetic("Add");
  emitters["sub"] = arithmetic("Sub");
  emitters["mul"] = arithmetic("Mul");
  emitters["div"] = quotient;
  emitters["pow"] = power;
  emitters["square"] = [](const Step& s) { return s.in() * s.in(); };
  emitters["rsqrt"] = [](const Step& s) { return rsqrt(s.in()); };
  emitters["expm1"] = [](const Step& s) { return apply("Exp", s.in()) - 1.0f; };
  emitters["log1p"] = [](const Step& s) { return apply("Log", s.in() + 1.0f); };
  emitters["trunc"] = [](const Step& s) { return truncate(s.in()); };
  emitters["logaddexp"] = [](const Step& s) {
    const Value difference = apply("Abs", s.in(0) - s.in(1));
    return apply("Max", s.in(0), s.in(1)) + apply("Log", apply("Exp", apply("Neg", difference)) + 1.0f);
  };
  emitters["remainder"] = [](const Step& s) {
    const Value a = s.in(0), b = s.in(1);
    return whole(s) ? apply("Mod", a, b) : a - apply("Floor", a / b) * b;
  };
  emitters["fmod"] = [](const Step& s) {
    return s.graph().node("Mod", {s.in(0), s.in(1)}, {{"fmod", std::int64_t{1}}});
  };

  emitters["gelu"] = [](const Step& s) { return gelu(s.in(), s.integer("tanh") != 0); };
  emitters["silu"] = [](const Step& s) { return silu(s.in()); };
  emitters["mish"] = [](const Step& s) { return s.in() * apply("Tanh", apply("Softplus", s.in())); };
  emitters["hardsigmoid"] = [](const Step& s) {
    return s.graph().node("HardSigmoid", {s.in()}, {{"alpha", 1.0f / 6.0f}, {"beta", 0.5f}});
  };
  emitters["clamp"] = emitters["hardtanh"] = emitters["relu6"] = clip;
  emitters["leaky_relu"] = [](const Step& s) { return with_alpha(s, "LeakyRelu"); };
  emitters["elu"] = emitters["selu"] = [](const Step& s) { return with_alpha(s, "Elu") * s.number("b"); };
  emitters["celu"] = [](const Step& s) { return with_alpha(s, "Celu"); };
  emitters["softshrink"] = [](const Step& s) { return shrink(s, s.number("a")); };
  emitters["hardshrink"] = [](const Step& s) { return shrink(s, 0.0f); };
  emitters["threshold"] = [](const Step& s) {
    return choose(apply("Greater", s.in(), s.graph().number(s.number("a"))), s.in(), s.graph().number(s.number("b")));
  };
  emitters["swiglu"] = [](const Step& s) { return gate(s, silu, 0); };
  emitters["glu"] = [](const Step& s) {
    return gate(
        s, [](const Value& x) { return apply("Sigmoid", x); }, 1);
  };
  emitters["reglu"] = [](const Step& s) {
    return gate(
        s, [](const Value& x) { return apply("Relu", x); }, 0);
  };
  emitters["geglu"] = [](const Step& s) {
    const bool by_tanh = s.integer("tanh") != 0;
    return gate(
        s, by_tanh ? [](const Value& x) { return gelu(x, true); } : [](const Value& x) { return gelu(x, false); }, 0);
  };

  emitters["not_equal"] = [](const Step& s) { return apply("Not", apply("Equal", s.in(0), s.in(1))); };
  emitters["isfinite"] = [](const Step& s) {
    return apply("Not", apply("Or", apply("IsNaN", s.in()), apply("IsInf", s.in())));
  };
  emitters["where"] = [](const Step& s) { return choose(s.value("condition"), s.in(0), s.in(1)); };
  emitters["masked_fill"] = [](const Step& s) {
    return choose(s.value("mask"), element(s, static_cast<double>(s.number("value")), s.y().dtype()), s.in());
  };
  emitters["to"] = cast;
}

}  // namespace temper::detail::onnx
