#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <temper/tensor/tensor.hpp>

#include "framework/autograd/listener_internal.hpp"
#include "framework/io/onnx/graph_internal.hpp"

namespace temper::detail::onnx {

/// Throws: ValueError that names an operation and says why it cannot be written.
[[noreturn]] void refuse(const std::string& operation, const std::string& why);

/// A tensor as the program computes it for the examples, and for one example more; twice the same when their number is
/// fixed.
struct Pair {
  Tensor one, two;
};

/// Turns two runs of a program into a graph.
class Exporter {
 public:
  /// `names` are those of the tensors that a model owns, by their ids; `examples` is the number of the first run.
  Exporter(Graph& graph, std::unordered_map<std::uint64_t, std::string> names, std::int64_t examples)
      : graph_(graph), names_(std::move(names)), examples_(examples) {}

  /// Says that a tensor, by that of the first run, is this value.
  void define(const Tensor& tensor, const Value& value) { values_.insert_or_assign(tensor.id(), value); }
  /// Writes what `outputs` need of the operations that both runs computed.
  void write(const std::vector<Heard>& one, const std::vector<Heard>& two, const std::vector<Pair>& outputs);

  /// The value of a tensor that was computed, or that is a constant of the program. `user` is for the error.
  Value value(const Pair& tensor, const std::string& user);
  /// A number that is `one` for the examples and `two` for one more.
  Size size(std::int64_t one, std::int64_t two) const;
  /// The sizes of a tensor. Throws: ValueError, with the user's name, for one that does not grow evenly.
  Sizes sizes(const Pair& tensor, const std::string& user) const;
  Graph& graph() { return graph_; }

 private:
  Value constant(const Pair& tensor, const std::string& user);

  Graph& graph_;
  std::unordered_map<std::uint64_t, std::string> names_;
  std::int64_t examples_;
  std::unordered_map<std::uint64_t, Value> values_;  // by the ids of the first run's tensors
};

/// An operation of the program, as it was computed in both runs.
class Step {
 public:
  Step(Exporter& exporter, const Heard& one, const Heard& two) : exporter_(exporter), one_(one), two_(two) {}

  Graph& graph() const { return exporter_.graph(); }
  const std::string& name() const { return one_.name; }
  const Tensor& y() const { return one_.y; }  ///< as the first run had it
  Sizes shape() const { return exporter_.sizes({one_.y, two_.y}, name()); }

  std::size_t inputs() const { return one_.inputs.size(); }
  /// An input; none when it was left out.
  Value in(std::size_t input = 0) const;
  const Tensor& tensor(std::size_t input = 0) const { return one_.inputs[input]; }  ///< as the first run had it
  Sizes shape_of(std::size_t input = 0) const {
    return exporter_.sizes({one_.inputs[input], two_.inputs[input]}, name());
  }
  int rank(std::size_t input = 0) const { return tensor(input).rank(); }
  /// Throws: ValueError for a size that varies with the examples.
  std::int64_t fixed(const Size& size) const;

  // Attributes. All throw: ValueError for one that the operation was not told of, and but for size() and value() for
  // one that varies with the examples.

  bool has(std::string_view attribute) const { return one_.attributes.contains(attribute); }
  std::int64_t integer(std::string_view attribute) const { return fixed(size(attribute)); }
  float number(std::string_view attribute) const;
  Integers integers(std::string_view attribute) const;
  Size size(std::string_view attribute) const;
  /// A tensor; none when it was left out.
  Value value(std::string_view attribute) const;
  /// A tensor as the first run had it.
  const Tensor& constant(std::string_view attribute) const;

 private:
  template <class T>
  std::pair<const T&, const T&> both(std::string_view attribute) const;

  Exporter& exporter_;
  const Heard &one_, &two_;
};

/// Writes the nodes of a step and gives their result.
using Emit = std::function<Value(const Step&)>;
/// By the names of operations.
using Emitters = std::map<std::string, Emit, std::less<>>;
void add_elementwise(Emitters& emitters);
void add_arrangements(Emitters& emitters);
void add_reductions(Emitters& emitters);
void add_images(Emitters& emitters);
void add_networks(Emitters& emitters);
void add_attention(Emitters& emitters);

/// gelu(x), by erf or by tanh.
Value gelu(const Value& x, bool by_tanh);
Value silu(const Value& x);
/// 1 / sqrt(x).
Value rsqrt(const Value& x);

}  // namespace temper::detail::onnx
