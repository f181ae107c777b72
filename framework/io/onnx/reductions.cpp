// Reductions, sums from the left, and order.

#include <cmath>

#include <temper/autograd/ops/segment.hpp>

#include "framework/io/onnx/export_internal.hpp"

namespace temper::detail::onnx {

namespace {

/// A reduction over the axes of the step.
Value over(const Step& s, const char* type, const Value& x) {
  return reduce(type, x, s.integers("axes"), s.integer("keepdim") != 0);
}

Emit reduction(const char* type) {
  return [type](const Step& s) { return over(s, type, s.in()); };
}

Value variance(const Step& s) {
  const Value difference = s.in() - reduce("ReduceMean", s.in(), s.integers("axes"), true);
  const Value mean = over(s, "ReduceMean", difference * difference);
  const std::int64_t correction = s.integer("correction");
  if (correction == 0) return mean;
  Integers axes = s.integers("axes");
  for (int axis = 0; axes.empty() && axis < s.rank(); ++axis) axes.push_back(axis);
  std::int64_t count = 1;
  for (const std::int64_t axis : axes) {
    count *= s.fixed(s.shape_of()[static_cast<std::size_t>(axis < 0 ? axis + s.rank() : axis)]);
  }
  return mean * (static_cast<float>(count) / static_cast<float>(count - correction));
}

Value norm(const Step& s) {
  const float p = s.number("p");
  if (p == 2.0f) return over(s, "ReduceL2", s.in());
  const Value sum = over(s, "ReduceSum", apply("Pow", apply("Abs", s.in()), s.graph().number(p)));
  return apply("Pow", sum, s.graph().number(1.0f / p));
}

Emit place(const char* type) {
  return [type](const Step& s) {
    return s.graph().node(
        type, {s.in()},
        {{"axis", s.integer("axis")}, {"keepdims", s.integer("keepdim")}, {"select_last_index", s.integer("last")}});
  };
}

Value cumsum(const Step& s) {
  return s.graph().node("CumSum", {s.in(), s.graph().integers({s.integer("axis")})},
                        {{"reverse", s.integer("reverse")}, {"exclusive", s.integer("exclusive")}});
}

/// The first numbers in order, or their places.
Emit sort(std::size_t result) {
  return [result](const Step& s) {
    const std::int64_t axis = s.integer("axis");
    const Value count = s.graph().sizes({s.shape()[static_cast<std::size_t>(axis)]});
    return s.graph().nodes("TopK", {s.in(), count}, {{"axis", axis}, {"largest", s.integer("descending")}}, 2)[result];
  };
}

Value bag(const Step& s) {
  if (s.constant("offsets").defined() || s.integer("padding") >= 0) {
    refuse(s.name(), "with offsets or padding has no counterpart in ONNX");
  }
  const Value rows = s.graph().node("Gather", {s.in(), s.value("ids")}, {{"axis", std::int64_t{0}}});
  const auto mode = static_cast<BagMode>(s.integer("mode"));
  if (mode == BagMode::mean) return reduce("ReduceMean", rows, {1}, false);
  if (mode == BagMode::max) return reduce("ReduceMax", rows, {1}, false);
  const Value scale = s.in(1);
  return reduce("ReduceSum", scale ? rows * apply("Unsqueeze", scale, s.graph().integers({2})) : rows, {1}, false);
}

}  // namespace

void add_reductions(Emitters& emitters) {
  emitters["sum"] = reduction("ReduceSum");
  emitters["mean"] = reduction("ReduceMean");
  emitters["max"] = reduction("ReduceMax");
  emitters["min"] = reduction("ReduceMin");
  emitters["prod"] = reduction("ReduceProd");
  emitters["logsumexp"] = reduction("ReduceLogSumExp");
  emitters["var"] = variance;
  emitters["std"] = [](const Step& s) { return apply("Sqrt", variance(s)); };
  emitters["norm"] = norm;
  emitters["argmax"] = place("ArgMax");
  emitters["argmin"] = place("ArgMin");
  emitters["cumsum"] = cumsum;
  emitters["sort"] = emitters["topk"] = sort(0);
  emitters["argsort"] = sort(1);
  emitters["embedding_bag"] = bag;
}

}  // namespace temper::detail::onnx
