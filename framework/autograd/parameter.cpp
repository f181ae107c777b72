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

namespace {

void check_dtype(const Tensor& value) {
  if (value.dtype() != Dtype::f32 && value.dtype() != Dtype::bf16) {
    fail<ShapeError>("parameter {} is {}, expected f32 or bf16", value.shape(), value.dtype());
  }
}

}  // namespace

Parameter::Parameter(Tensor value, Role role) {
  check_dtype(value);
  // A tensor of its own on the same memory: the caller may use theirs as a constant elsewhere.
  state_ = std::make_shared<detail::ParameterState>(role);
  state_->value = detail::alias_for(value, state_);
}

void Parameter::throw_undefined() {
  fail<ValueError>("an undefined parameter was used, such as the bias of a layer without one; see defined()");
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
  state_->value = detail::alias_for(value, state_);
}

void Parameter::set_gradient(Tensor gradient) {
  if (gradient.dtype() != Dtype::f32 || !(gradient.shape() == shape())) {
    fail<ShapeError>("gradient of parameter '{}': got {} {}, expected f32 {}", name_, gradient.dtype(),
                     gradient.shape(), shape());
  }
  state().gradient = std::move(gradient);
}

void Parameter::freeze() {
  state().frozen = true;
  discard_gradient();
}

void discard_gradients(const std::vector<Parameter>& parameters) {
  for (Parameter parameter : parameters) parameter.discard_gradient();
}

}  // namespace temper
