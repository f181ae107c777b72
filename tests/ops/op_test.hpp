#pragma once

// The table of operations. An entry has the call of the engine for a recorded case, the reference implementation, and
// the calls that must fail. The cases are in tests/golden/op_cases*.py.

#include <concepts>
#include <functional>
#include <string>
#include <typeinfo>
#include <vector>

#include <temper/tensor/tensor.hpp>

#include "tests/reference/check.hpp"

namespace temper::test {

using reference::Attributes;
using Tensors = std::vector<Tensor>;

/// Calls an operation with the inputs and the attributes of a case. Wraps any function that returns a Tensor or
/// Tensors.
class Engine {
 public:
  template <class Call>
  Engine(Call call)
      : call_([call](const Tensors& inputs, const Attributes& attributes) {
          if constexpr (std::same_as<decltype(call(inputs, attributes)), Tensor>) {
            return Tensors{call(inputs, attributes)};
          } else {
            return call(inputs, attributes);
          }
        }) {}

  Tensors operator()(const Tensors& inputs, const Attributes& attributes) const { return call_(inputs, attributes); }

 private:
  std::function<Tensors(const Tensors&, const Attributes&)> call_;
};

/// A call that must throw.
struct ErrorCase {
  const std::type_info& type;
  std::string text;  // must be part of what()
  std::function<void()> call;
};
/// throws<ShapeError>("matmul: [2, 3] x [4, 5]", [] { matmul(ones({2, 3}), ones({4, 5})); })
template <class Error, class Call>
ErrorCase throws(std::string text, Call call) {
  return {typeid(Error), std::move(text), [call] { static_cast<void>(call()); }};
}

struct OpTest {
  std::string name;
  Engine engine;
  reference::Reference reference;
  std::vector<ErrorCase> errors;
};

/// The table, family by family.
std::vector<OpTest> arithmetic_ops();
std::vector<OpTest> activation_ops();
std::vector<OpTest> matmul_ops();
std::vector<OpTest> image_ops();
std::vector<OpTest> norm_ops();
std::vector<OpTest> loss_ops();
std::vector<OpTest> reduce_ops();
std::vector<OpTest> shape_ops();
std::vector<OpTest> attention_ops();
std::vector<OpTest> function_ops();
std::vector<OpTest> layer_ops();
std::vector<OpTest> einsum_ops();
std::vector<OpTest> place_ops();
std::vector<OpTest> whole_ops();
std::vector<OpTest> more_loss_ops();
std::vector<OpTest> segment_ops();
std::vector<OpTest> window_ops();
std::vector<OpTest> distribution_ops();

/// Checks all cases of each operation, each in a subcase:
/// - the reference's gradient agrees with its own central differences within 1e-6 of the largest gradient;
/// - the reference agrees with what PyTorch recorded to the precision of the recording;
/// - the engine's outputs and gradients agree with both within 5e-6 of the sum of absolute terms;
/// - so do gradients if only one input wants one, and if they are accumulated;
/// - a second run gives the same bits, and no input is overwritten;
/// - each error case throws its type and text, and does not change the tape.
void check(const std::vector<OpTest>& operations);

/// An operation with kernels for bf16.
struct Bf16Op {
  std::string name;
  int roundings = 1;               ///< number of roundings to bf16 in a term of its results and gradients
  std::vector<std::size_t> f32{};  ///< inputs that stay f32
  bool multiplies = false;         ///< whether it uses oneDNN's products, for which the CPU needs bf16 instructions
};
const std::vector<Bf16Op>& bf16_ops();

/// Checks all cases of an operation in bf16: outputs and gradients agree with the reference on the rounded inputs
/// within `roundings` times half a unit in the last place of the sum of absolute terms; outputs and gradients of bf16
/// inputs are bf16.
void check_bf16(const OpTest& test, const Bf16Op& op);

/// All operations with kernels for bf16.
std::vector<OpTest> all_ops();

}  // namespace temper::test
