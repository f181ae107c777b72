#include "framework/io/onnx/graph_internal.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>
#include <unordered_set>

#include <temper/autograd/ops/cast.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/io/atomic_file_internal.hpp"
#include "framework/io/onnx/protobuf_internal.hpp"
#include "framework/tensor/bytes_internal.hpp"

namespace temper::detail::onnx {

namespace {

// Numbers of onnx.proto. Source: ONNX, "onnx.proto", version of the intermediate representation 8.
constexpr std::int64_t ir_version = 8, opset = 17;
namespace field {
namespace model {
constexpr int ir_version = 1, producer_name = 2, graph = 7, opset_import = 8;
}
namespace operator_set {
constexpr int version = 2;
}
namespace graph {
constexpr int node = 1, name = 2, initializer = 5, input = 11, output = 12;
}
namespace node {
constexpr int input = 1, output = 2, name = 3, op_type = 4, attribute = 5;
}
namespace attribute {
constexpr int name = 1, real = 2, integer = 3, text = 4, integers = 8, texts = 9, type = 20;
}
namespace value_info {
constexpr int name = 1, type = 2;
}
namespace type {
constexpr int tensor = 1, elements = 1, shape = 2, dimension = 1, size = 1, symbol = 2;
}
namespace tensor {
constexpr int dims = 1, data_type = 2, name = 8, raw_data = 9, external_data = 13, data_location = 14;
}
namespace entry {
constexpr int key = 1, value = 2;
}
}  // namespace field

constexpr const char* batch = "batch";
constexpr std::uint64_t alignment = 4096;            // of tensors in a file of data, for those who map it
constexpr std::uint64_t smallest_outside = 1 << 10;  // bytes; smaller tensors stay in the model's file

Message message_of(const NodeAttribute& attribute) {
  enum Type { real = 1, integer = 2, text = 3, integers = 7, texts = 8 };
  Message message;
  message.text(field::attribute::name, attribute.name);
  const auto typed = [&](Type type) { message.integer(field::attribute::type, type); };
  if (const auto* number = std::get_if<std::int64_t>(&attribute.value)) {
    message.integer(field::attribute::integer, *number);
    typed(integer);
  } else if (const auto* fraction = std::get_if<float>(&attribute.value)) {
    message.real(field::attribute::real, *fraction);
    typed(real);
  } else if (const auto* word = std::get_if<std::string>(&attribute.value)) {
    message.text(field::attribute::text, *word);
    typed(text);
  } else if (const auto* numbers = std::get_if<Integers>(&attribute.value)) {
    message.integers(field::attribute::integers, *numbers);
    typed(integers);
  } else {
    for (const std::string& each : std::get<std::vector<std::string>>(attribute.value)) {
      message.text(field::attribute::texts, each);
    }
    typed(texts);
  }
  return message;
}

Message value_info(const std::string& name, Dtype dtype, const Sizes& sizes) {
  Message shape;
  for (const Size& size : sizes) {
    Message dimension;
    if (!size.varies()) {
      dimension.integer(field::type::size, size.fixed);
    } else if (size == Size{0, 1}) {
      dimension.text(field::type::symbol, batch);
    } else {
      const std::string more =
          size.fixed == 0 ? "" : fmt::format(" {} {}", size.fixed < 0 ? '-' : '+', std::abs(size.fixed));
      dimension.text(field::type::symbol, fmt::format("{} * {}{}", size.per_example, batch, more));
    }
    shape.message(field::type::dimension, dimension);
  }
  Message tensor, type, info;
  tensor.integer(field::type::elements, element_type(dtype));
  tensor.message(field::type::shape, shape);
  type.message(field::type::tensor, tensor);
  info.text(field::value_info::name, name);
  info.message(field::value_info::type, type);
  return info;
}

/// Where a tensor lies in the file of data.
struct Outside {
  std::string file;
  std::uint64_t offset;
};

Message tensor_message(const std::string& name, const Tensor& tensor, const std::optional<Outside>& outside) {
  Message message;
  message.integers(field::tensor::dims, {tensor.shape().begin(), tensor.shape().end()});
  message.integer(field::tensor::data_type, element_type(tensor.dtype()));
  message.text(field::tensor::name, name);
  if (!outside) {
    message.bytes(field::tensor::raw_data, bytes_of(tensor));
    return message;
  }
  const auto entry = [&](const char* key, const std::string& value) {
    Message pair;
    pair.text(field::entry::key, key);
    pair.text(field::entry::value, value);
    message.message(field::tensor::external_data, pair);
  };
  entry("location", outside->file);
  entry("offset", std::to_string(outside->offset));
  entry("length", std::to_string(bytes_of(tensor).size()));
  message.integer(field::tensor::data_location, 1);
  return message;
}

}  // namespace

std::int64_t element_type(Dtype dtype) {
  constexpr std::int64_t real = 1, integer = 7, boolean = 9;
  return dtype == Dtype::i64 ? integer : dtype == Dtype::boolean ? boolean : real;
}

bool Graph::reserve(const std::string& name) { return used_names_.emplace(name, 0).second; }

Value Graph::node(std::string type, std::vector<Value> inputs, std::vector<NodeAttribute> attributes) {
  return nodes(std::move(type), std::move(inputs), std::move(attributes), 1).front();
}

std::vector<Value> Graph::nodes(std::string type, std::vector<Value> inputs, std::vector<NodeAttribute> attributes,
                                int results) {
  while (!inputs.empty() && !inputs.back()) inputs.pop_back();
  Node node{type, {}, {}, std::move(attributes)};
  for (const Value& input : inputs) node.inputs.push_back(input.name);
  std::vector<Value> values;
  for (int i = 0; i < results; ++i) {
    values.push_back({this, unused_name(type)});
    node.outputs.push_back(values.back().name);
    node_of_.emplace(values.back().name, nodes_.size());
  }
  nodes_.push_back(std::move(node));
  return values;
}

Value Graph::initializer(const std::string& name, const Tensor& tensor) {
  initializers_.emplace_back(name, tensor.dtype() == Dtype::bf16 ? to(tensor, Dtype::f32) : tensor);
  return {this, name};
}

Value Graph::number(float value) {
  return shared(fmt::format("{}", value), [&] { return constant(scalar(value)); });
}

Value Graph::integers(const Integers& values) {
  return shared(fmt::format("[{}]", fmt::join(values, ", ")),
                [&] { return constant(from(std::span<const std::int64_t>(values), {std::ssize(values)})); });
}

Value Graph::sizes(const Sizes& values) {
  if (std::ranges::none_of(values, &Size::varies)) {
    Integers fixed;
    for (const Size& size : values) fixed.push_back(size.fixed);
    return integers(fixed);
  }
  std::vector<Value> parts;
  for (const auto& [fixed, per_example] : values) {
    if (per_example == 0) {
      parts.push_back(integers({fixed}));
      continue;
    }
    Value part = examples_;
    if (per_example != 1) part = part * integers({per_example});
    if (fixed != 0) part = part + integers({fixed});
    parts.push_back(part);
  }
  return parts.size() == 1 ? parts.front() : node("Concat", parts, {{"axis", std::int64_t{0}}});
}

Value Graph::input(const std::string& name, const Tensor& example, const Sizes& shape) {
  inputs_.push_back({name, example.dtype(), shape});
  const Value value{this, name};
  if (!examples_ && !shape.empty() && shape.front().varies()) {
    examples_ = node("Shape", {value}, {{"start", std::int64_t{0}}, {"end", std::int64_t{1}}});
  }
  return value;
}

void Graph::output(const std::string& name, const Value& value, const Tensor& example, const Sizes& shape) {
  outputs_.push_back({name, example.dtype(), shape});
  nodes_.push_back({"Identity", {value.name}, {name}, {}});
}

const Graph::Node* Graph::node_of(const Value& value, std::string_view type) const {
  const auto found = node_of_.find(value.name);
  return found == node_of_.end() || nodes_[found->second].type != type ? nullptr : &nodes_[found->second];
}

Value Graph::before(const Value& value, std::string_view type, std::string_view attribute,
                    const Integers& integers) const {
  const Node* const node = node_of(value, type);
  if (node == nullptr) return {};
  for (const auto& [name, its] : node->attributes) {
    if (name == attribute && its == NodeAttribute{name, integers}.value) return {value.graph, node->inputs.front()};
  }
  return {};
}

std::vector<Value> Graph::inputs_of(const Value& value, std::string_view type) const {
  std::vector<Value> inputs;
  if (const Node* const node = node_of(value, type)) {
    for (const std::string& name : node->inputs) inputs.push_back({value.graph, name});
  }
  return inputs;
}

Tensor Graph::tensor_of(const Value& value) const {
  const auto found = std::ranges::find(initializers_, value.name, &std::pair<std::string, Tensor>::first);
  return found == initializers_.end() ? Tensor() : found->second;
}

std::string Graph::unused_name(const std::string& stem) {
  std::string name;
  do {
    name = fmt::format("{}_{}", stem, ++used_names_[stem]);
  } while (used_names_.contains(name));
  return name;
}

void Graph::write(const std::filesystem::path& path, std::uint64_t max_bytes) const {
  // What an output needs.
  std::unordered_set<std::string> needed;
  for (const Port& output : outputs_) needed.insert(output.name);
  std::vector<const Node*> used;
  for (std::size_t i = nodes_.size(); i-- > 0;) {
    const Node& node = nodes_[i];
    if (std::ranges::none_of(node.outputs, [&](const std::string& name) { return needed.contains(name); })) continue;
    used.push_back(&node);
    needed.insert(node.inputs.begin(), node.inputs.end());
  }
  Message graph;
  for (std::size_t i = used.size(); i-- > 0;) {
    Message node;
    for (const std::string& name : used[i]->inputs) node.text(field::node::input, name);
    for (const std::string& name : used[i]->outputs) node.text(field::node::output, name);
    node.text(field::node::name, used[i]->outputs.front());
    node.text(field::node::op_type, used[i]->type);
    for (const NodeAttribute& attribute : used[i]->attributes) {
      node.message(field::node::attribute, message_of(attribute));
    }
    graph.message(field::graph::node, node);
  }
  graph.text(field::graph::name, "temper");

  std::uint64_t bytes = graph.size();
  for (const auto& [name, tensor] : initializers_) {
    if (needed.contains(name)) bytes += bytes_of(tensor).size();
  }
  const bool outside = bytes > max_bytes;
  const std::filesystem::path data_path = path.native() + ".data";
  std::optional<AtomicFile> data;
  if (outside) data.emplace(data_path);
  std::uint64_t end = 0;
  for (const auto& [name, tensor] : initializers_) {
    if (!needed.contains(name)) continue;
    const std::span<const std::byte> content = bytes_of(tensor);
    std::optional<Outside> place;
    if (outside && content.size() >= smallest_outside) {
      const std::string gap((alignment - end % alignment) % alignment, '\0');
      data->write(std::as_bytes(std::span(gap)));
      place = {data_path.filename().string(), end + gap.size()};
      data->write(content);
      end = place->offset + content.size();
    }
    graph.message(field::graph::initializer, tensor_message(name, tensor, place));
  }
  for (const auto& [name, dtype, shape] : inputs_) graph.message(field::graph::input, value_info(name, dtype, shape));
  for (const auto& [name, dtype, shape] : outputs_) graph.message(field::graph::output, value_info(name, dtype, shape));

  Message operators, model;
  operators.integer(field::operator_set::version, opset);
  model.integer(field::model::ir_version, ir_version);
  model.text(field::model::producer_name, "temper");
  model.message(field::model::graph, graph);
  model.message(field::model::opset_import, operators);
  AtomicFile file(path);
  model.for_parts([&](std::span<const std::byte> part) { file.write(part); });
  if (data) data->commit();
  file.commit();
}

Value operator+(const Value& a, const Value& b) { return apply("Add", a, b); }
Value operator-(const Value& a, const Value& b) { return apply("Sub", a, b); }
Value operator*(const Value& a, const Value& b) { return apply("Mul", a, b); }
Value operator/(const Value& a, const Value& b) { return apply("Div", a, b); }
Value operator+(const Value& a, float b) { return a + a.graph->number(b); }
Value operator-(const Value& a, float b) { return a - a.graph->number(b); }
Value operator*(const Value& a, float b) { return a * a.graph->number(b); }
Value operator/(const Value& a, float b) { return a / a.graph->number(b); }

Value apply(const char* type, const Value& x) { return x.graph->node(type, {x}); }
Value apply(const char* type, const Value& a, const Value& b) { return a.graph->node(type, {a, b}); }

Value transpose(const Value& x, const Integers& order) {
  Integers inverse(order.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    inverse[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(i);
  if (const Value same = x.graph->before(x, "Transpose", "perm", inverse)) return same;
  return x.graph->node("Transpose", {x}, {{"perm", order}});
}

Value reshape(const Value& x, const Sizes& shape) {
  // A single size that varies is inferred.
  Integers known;
  for (const Size& size : shape) known.push_back(size.varies() ? -1 : size.fixed);
  const bool inferred = std::ranges::count(shape, true, &Size::varies) < 2;
  return apply("Reshape", x, inferred ? x.graph->integers(known) : x.graph->sizes(shape));
}

Value reduce(const char* type, const Value& x, const Integers& axes, bool keepdim) {
  std::vector<NodeAttribute> attributes = {{"keepdims", std::int64_t{keepdim}}};
  // In this opset the axes of ReduceSum alone are an input.
  if (std::string_view(type) == "ReduceSum") {
    return x.graph->node(type, {x, axes.empty() ? Value{} : x.graph->integers(axes)}, attributes);
  }
  if (!axes.empty()) attributes.push_back({"axes", axes});
  return x.graph->node(type, {x}, attributes);
}

}  // namespace temper::detail::onnx
