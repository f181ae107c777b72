#include <temper/autograd/parameter.hpp>

#include "framework/core/format_internal.hpp"

namespace temper {

std::string to_string(Role role) {
  switch (role) {
    case Role::weight: return "weight";
    case Role::bias: return "bias";
    case Role::norm_gain: return "norm gain";
    case Role::embedding: return "embedding";
  }
  return "?";
}

namespace detail {

ParameterState::ParameterState(Tensor initial, Role its_role) : value(std::move(initial)), role(its_role) {
  value.mark().parameter = this;
}

// The tensor may outlive its parameter; it is then an ordinary tensor.
ParameterState::~ParameterState() { value.mark().parameter = nullptr; }

}  // namespace detail

namespace {

void check_dtype(const Tensor& value) {
  if (value.dtype() != Dtype::f32 && value.dtype() != Dtype::bf16) {
    fail<ShapeError>("parameter {} is {}, expected f32 or bf16", value.shape(), value.dtype());
  }
}

}  // namespace

Parameter::Parameter(Tensor value, Role role) {
  check_dtype(value);
  // A handle of its own: marking the caller's tensor would make a constant elsewhere trainable.
  state_ = std::make_shared<detail::ParameterState>(value.view(value.shape()), role);
  state_->self = state_;
}

Parameter Parameter::named(std::string name) const {
  Parameter other = *this;
  other.name_ = std::move(name);
  return other;
}

void Parameter::set_value(const Tensor& value) {
  check_dtype(value);
  if (!(value.shape() == shape())) {
    fail<ShapeError>("value of parameter '{}': got {}, expected {}", name_, value.shape(), shape());
  }
  state_->value.mark() = {};
  state_->value = value.view(value.shape());
  state_->value.mark().parameter = state_.get();
}

void Parameter::set_gradient(Tensor gradient) {
  if (gradient.dtype() != Dtype::f32 || !(gradient.shape() == shape())) {
    fail<ShapeError>("gradient of parameter '{}': got {} {}, expected f32 {}", name_, gradient.dtype(),
                     gradient.shape(), shape());
  }
  state_->gradient = std::move(gradient);
}

void Parameter::freeze() {
  state_->frozen = true;
  discard_gradient();
}

void discard_gradients(const std::vector<Parameter>& parameters) {
  for (Parameter parameter : parameters) parameter.discard_gradient();
}

}  // namespace temper
