#pragma once

#include <memory>
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
  ParameterState(Tensor initial, Role its_role);
  ~ParameterState();
  ParameterState(const ParameterState&) = delete;
  ParameterState& operator=(const ParameterState&) = delete;

  Tensor value;
  Tensor gradient;  // undefined when there is none
  Role role;
  bool frozen = false;
  std::weak_ptr<ParameterState> self;  // lets a tape keep the parameter of a tensor alive
};

}  // namespace detail

/// A tensor that training changes, with the gradient that waits for the next optimizer step. A shared handle: copies
/// are the same parameter. The name belongs to the handle, because one parameter is "weight" to its layer and
/// "encoder.0.weight" to the model.
class Parameter {
 public:
  Parameter() = default;
  Parameter(Tensor value, Role role);

  bool defined() const { return state_ != nullptr; }
  const Tensor& value() const { return state_->value; }
  operator const Tensor&() const { return state_->value; }
  const Shape& shape() const { return state_->value.shape(); }
  Role role() const { return state_->role; }

  const std::string& name() const { return name_; }
  /// A handle of the same parameter under another name.
  Parameter named(std::string name) const;

  /// Replaces the value by another, which may be of another dtype; all handles see it. Optimizers made before go on from
  /// it, but refuse another dtype. Throws: ShapeError unless it is f32 or bf16, of the parameter's shape.
  void set_value(const Tensor& value);

  /// The sum of the gradients since the last step, in f32; undefined when there is none.
  const Tensor& gradient() const { return state_->gradient; }
  /// Replaces the gradient. Throws: ShapeError unless it is f32 of the parameter's shape.
  void set_gradient(Tensor gradient);
  void discard_gradient() { state_->gradient = Tensor(); }

  /// A frozen parameter gets no gradient, so no optimizer moves it.
  void freeze();
  void unfreeze() { state_->frozen = false; }
  bool frozen() const { return state_->frozen; }

  /// Whether both are handles of one parameter (tied weights).
  bool same(const Parameter& other) const { return state_ == other.state_; }
  /// An address that tells parameters apart.
  const void* id() const { return state_.get(); }

 private:
  std::shared_ptr<detail::ParameterState> state_;
  std::string name_;
};

/// Drops the gradients that wait for a step.
void discard_gradients(const std::vector<Parameter>& parameters);

}  // namespace temper
