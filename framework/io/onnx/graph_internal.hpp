#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include <temper/tensor/tensor.hpp>

namespace temper::detail::onnx {

class Graph;

/// A size that may depend on the number of examples: fixed + per_example * examples.
struct Size {
  std::int64_t fixed = 0, per_example = 0;

  bool varies() const { return per_example != 0; }
  friend bool operator==(const Size&, const Size&) = default;
};
using Sizes = std::vector<Size>;
using Integers = std::vector<std::int64_t>;

/// What a node, an initializer or an input gives; none when empty, as an optional input.
struct Value {
  Graph* graph = nullptr;
  std::string name{};

  explicit operator bool() const { return graph != nullptr; }
};

/// ONNX's number for the elements of a tensor; bf16 is written as f32.
std::int64_t element_type(Dtype dtype);

struct NodeAttribute {
  std::string name;
  std::variant<std::int64_t, float, std::string, Integers, std::vector<std::string>> value;
};

/// An ONNX graph while it is made. Nodes that no output needs are left out of the file.
class Graph {
 public:
  /// Keeps a name for an input, an output or a tensor of the model, before there are nodes; false when another has it.
  bool reserve(const std::string& name);

  /// Adds a node with one result, or several.
  Value node(std::string type, std::vector<Value> inputs, std::vector<NodeAttribute> attributes = {});
  std::vector<Value> nodes(std::string type, std::vector<Value> inputs, std::vector<NodeAttribute> attributes,
                           int results);

  /// A tensor that the file holds, under a name of its own. bf16 becomes f32.
  Value initializer(const std::string& name, const Tensor& tensor);
  Value constant(const Tensor& tensor) { return initializer(unused_name("constant"), tensor); }
  /// What `make` gives, made once for each key.
  template <class Make>
  Value shared(const std::string& key, Make make) {
    Value& known = shared_[key];
    if (!known) known = make();
    return known;
  }
  Value number(float value);
  /// i64 [n]; equal ones are one.
  Value integers(const Integers& values);
  /// i64 [n], computed from the number of examples where that is needed.
  Value sizes(const Sizes& values);

  Value input(const std::string& name, const Tensor& example, const Sizes& shape);
  void output(const std::string& name, const Value& value, const Tensor& example, const Sizes& shape);

  /// The input of the node that gives the value, if the node has this type and these integers; else no value.
  Value before(const Value& value, std::string_view type, std::string_view attribute, const Integers& integers) const;
  /// The inputs of the node of this type that gives the value; none if another does.
  std::vector<Value> inputs_of(const Value& value, std::string_view type) const;
  /// The tensor of an initializer; undefined for another value.
  Tensor tensor_of(const Value& value) const;

  /// Writes the file, and `path` + ".data" beside it when the model would have more than `max_bytes`.
  /// Throws: FileError when a file cannot be written.
  void write(const std::filesystem::path& path, std::uint64_t max_bytes) const;

 private:
  struct Node {
    std::string type;
    std::vector<std::string> inputs, outputs;
    std::vector<NodeAttribute> attributes;
  };
  struct Port {
    std::string name;
    Dtype dtype;
    Sizes shape;
  };

  std::string unused_name(const std::string& stem);
  const Node* node_of(const Value& value, std::string_view type) const;

  std::vector<Node> nodes_;
  std::unordered_map<std::string, std::size_t> node_of_;  // by the name of a result
  std::vector<std::pair<std::string, Tensor>> initializers_;
  std::vector<Port> inputs_, outputs_;
  std::map<std::string, int> used_names_;
  std::map<std::string, Value> shared_;
  Value examples_;  // i64 [1], how many there are
};

Value operator+(const Value& a, const Value& b);
Value operator-(const Value& a, const Value& b);
Value operator*(const Value& a, const Value& b);
Value operator/(const Value& a, const Value& b);
Value operator+(const Value& a, float b);
Value operator-(const Value& a, float b);
Value operator*(const Value& a, float b);
Value operator/(const Value& a, float b);

/// A node of one or two inputs and no attributes: apply("Exp", x).
Value apply(const char* type, const Value& x);
Value apply(const char* type, const Value& a, const Value& b);
Value transpose(const Value& x, const Integers& order);
Value reshape(const Value& x, const Sizes& shape);
/// A sum or mean ("ReduceSum", "ReduceMean", ...) over axes, all when there are none.
Value reduce(const char* type, const Value& x, const Integers& axes, bool keepdim);

}  // namespace temper::detail::onnx
