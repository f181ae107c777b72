#pragma once

// One node of an ONNX graph with its inputs, and the table of what runs it: Temper's operations, one or several.
// Tensors are in ONNX's layout, [N, C, ...].

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include <temper/autograd/ops.hpp>
#include <temper/io/safetensors.hpp>

namespace temper::onnx {

using Tensors = std::vector<Tensor>;
using Ints = std::vector<std::int64_t>;

/// Thrown for what no operation of Temper expresses; what() is the reason.
struct Missing : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Node {
  std::string op;
  nlohmann::json attributes;
  std::vector<std::string> outputs;  // "" for one that nobody wants
  int opset = 0;
  Tensors inputs;                                // undefined where left out
  std::vector<std::string> input_names, dtypes;  // and what the file says their elements are, "" when it does not
  const TensorFile* file = nullptr;              // with the tensors that attributes name

  bool has(std::size_t input) const { return input < inputs.size() && inputs[input].defined(); }
  /// Throws: Missing when it was left out.
  const Tensor& in(std::size_t input = 0) const {
    if (!has(input)) throw Missing("a left out input");
    return inputs[input];
  }
  bool wants(std::size_t output) const { return output < outputs.size() && !outputs[output].empty(); }

  bool given(const std::string& name) const { return attributes.contains(name); }
  template <class T>
  T get(const std::string& name, T otherwise) const {
    return attributes.value(name, otherwise);
  }
  /// A list that newer versions have as an input, older ones as an attribute.
  Ints list(const std::string& name, std::size_t input, const Ints& otherwise = {}) const;
};

/// The numbers of a tensor of whole numbers.
Ints ints(const Tensor& x);
/// The one number of a tensor.
double number(const Tensor& x);
/// An axis from 0 on.
int axis_of(std::int64_t axis, int rank);
Axes axes_of(const Ints& axes);
Shape shape_of(const Ints& sizes);
Ints sizes_of(const Shape& shape);

/// [N, C, ...] to [N, ..., C] and back.
Tensor channels_last(const Tensor& x);
Tensor channels_first(const Tensor& x);

using Operator = std::function<Tensors(const Node&)>;
using Operators = std::map<std::string, Operator>;
void add_elementwise(Operators& operators);
void add_arrangements(Operators& operators);
void add_reductions(Operators& operators);
void add_images(Operators& operators);
void add_networks(Operators& operators);

}  // namespace temper::onnx
