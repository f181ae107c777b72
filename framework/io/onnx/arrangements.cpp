// Operations that move elements.

#include <limits>

#include "framework/io/onnx/export_internal.hpp"

namespace temper::detail::onnx {

namespace {

Value cut(const Value& x, const Size& begin, const Size& end, std::int64_t axis, std::int64_t step = 1) {
  Graph& graph = *x.graph;
  return graph.node("Slice",
                    {x, graph.sizes({begin}), graph.sizes({end}), graph.integers({axis}), graph.integers({step})});
}

Size operator+(const Size& a, const Size& b) { return {a.fixed + b.fixed, a.per_example + b.per_example}; }

Value concat(const std::vector<Value>& parts, std::int64_t axis) {
  return parts.front().graph->node("Concat", parts, {{"axis", axis}});
}

Value slice(const Step& s) {
  const auto axis = s.integer("axis"), step = s.integer("step");
  const Size begin = s.size("begin"), count = s.shape()[static_cast<std::size_t>(axis)];
  return cut(s.in(), begin, begin + Size{count.fixed * step, count.per_example * step}, axis, step);
}

Value flip(const Step& s) {
  Integers axes = s.integers("axes");
  for (std::int64_t& axis : axes) axis += axis < 0 ? s.rank() : 0;
  const auto all = [&](std::int64_t value) { return s.graph().integers(Integers(axes.size(), value)); };
  // From the last one on, backwards, to before the first one.
  return s.graph().node(
      "Slice", {s.in(), all(-1), all(std::numeric_limits<std::int64_t>::min()), s.graph().integers(axes), all(-1)});
}

Value roll(const Step& s) {
  const auto axis = s.integer("axis");
  const Size begin = s.size("begin"), size = s.shape()[static_cast<std::size_t>(axis)];
  return concat({cut(s.in(), begin, size, axis), cut(s.in(), {0, 0}, begin, axis)}, axis);
}

Value stack(const Step& s) {
  std::vector<Value> parts;
  for (std::size_t i = 0; i < s.inputs(); ++i) {
    parts.push_back(apply("Unsqueeze", s.in(i), s.graph().integers({s.integer("axis")})));
  }
  return concat(parts, s.integer("axis"));
}

Value pad(const Step& s) {
  const auto axis = static_cast<std::size_t>(s.integer("axis")), rank = static_cast<std::size_t>(s.rank());
  Integers pads(2 * rank, 0);
  pads[axis] = s.integer("before");
  pads[rank + axis] = s.integer("after");
  return s.graph().node("Pad", {s.in(), s.graph().integers(pads), s.graph().number(s.number("value"))});
}

Value triangle(const Step& s, bool upper) {
  const Value diagonal = s.graph().constant(indices({s.integer("diagonal")}).view({}));
  return s.graph().node("Trilu", {s.in(), diagonal}, {{"upper", std::int64_t{upper}}});
}

Emit with_index(const char* type) {
  return [type](const Step& s) {
    return s.graph().node(type, {s.in(), s.value("index")}, {{"axis", s.integer("axis")}});
  };
}

Value scatter(const Step& s, const char* reduction) {
  return s.graph().node("ScatterElements", {s.in(0), s.value("index"), s.in(1)},
                        {{"axis", s.integer("axis")}, {"reduction", std::string(reduction)}});
}

Value embed(const Step& s) { return s.graph().node("Gather", {s.in(), s.value("ids")}, {{"axis", std::int64_t{0}}}); }

Value one_hot(const Step& s) {
  const Value depth = s.graph().integers({s.fixed(s.shape().back())});
  return s.graph().node("OneHot", {s.in(), depth, s.graph().integers({0, 1})}, {{"axis", std::int64_t{-1}}});
}

}  // namespace

void add_arrangements(Emitters& emitters) {
  emitters["view"] = [](const Step& s) { return reshape(s.in(), s.shape()); };
  emitters["slice"] = emitters["rows"] = slice;
  emitters["flip"] = flip;
  emitters["roll"] = roll;
  emitters["concat"] = [](const Step& s) {
    std::vector<Value> parts;
    for (std::size_t i = 0; i < s.inputs(); ++i) parts.push_back(s.in(i));
    return concat(parts, s.integer("axis"));
  };
  emitters["stack"] = stack;
  emitters["permute"] = emitters["transpose"] = [](const Step& s) { return transpose(s.in(), s.integers("axes")); };
  emitters["flatten_chw"] = [](const Step& s) { return reshape(transpose(s.in(), {0, 3, 1, 2}), s.shape()); };
  emitters["expand"] = [](const Step& s) { return apply("Expand", s.in(), s.graph().sizes(s.shape())); };
  emitters["pad"] = pad;
  emitters["tril"] = [](const Step& s) { return triangle(s, false); };
  emitters["triu"] = [](const Step& s) { return triangle(s, true); };
  emitters["gather"] = with_index("GatherElements");
  emitters["index_select"] = with_index("Gather");
  emitters["scatter"] = [](const Step& s) { return scatter(s, "none"); };
  emitters["scatter_add"] = [](const Step& s) { return scatter(s, "add"); };
  emitters["embedding"] = embed;
  emitters["one_hot"] = one_hot;
}

}  // namespace temper::detail::onnx
