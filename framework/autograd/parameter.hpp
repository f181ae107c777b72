#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <temper/tensor/tensor.hpp>

namespace temper {

/// What a parameter is for. Weight decay goes by it: weights and embeddings decay, biases and norm gains do not.
enum class Role { weight, bias, norm_gain, embedding };

/// "weight", "bias", "norm gain", "embedding"
std::string to_string(Role role);

namespace detail {

/// What the handles of one parameter share.
class ParameterState {
 public:
  explicit ParameterState(Role its_role) : role(its_role) {}
  ParameterState(const ParameterState&) = delete;
  ParameterState& operator=(const ParameterState&) = delete;

  Tensor value;     // its body knows this parameter, see parameter_of
  Tensor gradient;  // undefined when there is none
  Role role;
  bool frozen = false;
  std::mutex gathering;  // held while a tape adds to `gradient`: several threads may share the parameter
};

}  // namespace detail

/// A tensor that training changes, with its gradient, which the next optimizer step uses up. A shared handle: copies
/// are the same parameter. The name belongs to the handle, because one parameter is "weight" to its layer and
/// "encoder.0.weight" to the model.
class Parameter {
 public:
  Parameter() = default;
  Parameter(Tensor value, Role role);  ///< shares the memory of `value`

  bool defined() const { return state_ != nullptr; }
  /// Throws, as all below but name, same and id: ValueError when undefined.
  const Tensor& value() const { return state().value; }
  operator const Tensor&() const { return state().value; }
  const Shape& shape() const { return state().value.shape(); }
  Role role() const { return state().role; }

  const std::string& name() const { return name_; }
  /// A handle of the same parameter under another name.
  Parameter named(std::string name) const;

  /// Replaces the value for all handles. Its dtype may differ, but optimizers made before accept the new value only if
  /// it has the old dtype. Throws: ShapeError unless it is f32 or bf16, of the parameter's shape.
  void set_value(const Tensor& value);

  /// The sum of the gradients since the last step, in f32; undefined when there is none.
  const Tensor& gradient() const { return state().gradient; }
  /// Replaces the gradient. Throws: ShapeError unless it is f32 of the parameter's shape.
  void set_gradient(Tensor gradient);
  void discard_gradient() { state().gradient = Tensor(); }

  /// A frozen parameter gets no gradient, so no optimizer changes it: operations take it as a constant, and a backward
  /// after freeze() skips it even where the operation was recorded before.
  void freeze();
  void unfreeze() { state().frozen = false; }
  bool frozen() const { return state().frozen; }

  /// Whether both are handles of one parameter (tied weights).
  bool same(const Parameter& other) const { return state_ == other.state_; }
  /// An address that tells parameters apart.
  const void* id() const { return state_.get(); }

 private:
  detail::ParameterState& state() const {
    if (state_ == nullptr) throw_undefined();
    return *state_;
  }
  [[noreturn]] static void throw_undefined();

  std::shared_ptr<detail::ParameterState> state_;
  std::string name_;
};

/// Drops the gradients that wait for a step.
void discard_gradients(const std::vector<Parameter>& parameters);

}  // namespace temper
