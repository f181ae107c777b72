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

void Parameter::throw_sparse() const {
  fail<ValueError>("gradient of parameter '{}' {}: it is sparse, so its gradient is one of rows, see row_gradient()",
                   name_, shape());
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
  if (state_->owed != nullptr) state_->owed->pay_all();  // to the old value
  state_->value = detail::alias_for(value, state_);
}

void Parameter::set_gradient(Tensor gradient) {
  if (gradient.dtype() != Dtype::f32 || !(gradient.shape() == shape())) {
    fail<ShapeError>("gradient of parameter '{}': got {} {}, expected f32 {}", name_, gradient.dtype(),
                     gradient.shape(), shape());
  }
  if (sparse()) throw_sparse();
  state().gradient = std::move(gradient);
}

void Parameter::make_sparse() {
  if (shape().rank() != 2 || shape()[0] >= std::int64_t{1} << 32) {
    fail<ShapeError>("parameter '{}' {} is to be sparse, expected [rows, width] with less than 2^32 rows", name_,
                     shape());
  }
  if (has_gradient()) fail<ValueError>("parameter '{}' is to be sparse, and a gradient waits for a step", name_);
  state().sparse = true;
}

void Parameter::set_row_gradient(RowGradient gradient) {
  const auto& [rows, values] = gradient;
  if (!sparse())
    fail<ValueError>("gradient of parameter '{}' {}: it is not sparse, see set_gradient()", name_, shape());
  if (!rows.defined() || !values.defined() || rows.dtype() != Dtype::i64 || values.dtype() != Dtype::f32 ||
      rows.rank() != 1 || !(values.shape() == Shape{rows.numel(), shape()[1]})) {
    fail<ShapeError>("gradient of parameter '{}' {}: got rows {} and values {}, expected i64 [n] and f32 [n, {}]",
                     name_, shape(), rows.defined() ? to_string(rows.shape()) : "undefined",
                     values.defined() ? to_string(values.shape()) : "undefined", shape()[1]);
  }
  std::int64_t before = -1;
  for (const std::int64_t row : rows.values<std::int64_t>()) {
    if (row <= before || row >= shape()[0]) {
      fail<ValueError>("gradient of parameter '{}' {}: row {} after {}, expected ascending rows below {}", name_,
                       shape(), row, before, shape()[0]);
    }
    before = row;
  }
  state().rows = std::move(gradient);
}

void Parameter::owe(std::shared_ptr<detail::Owed> owed) {
  if (owed != nullptr && state().owed != nullptr) {
    fail<ValueError>("parameter '{}': another optimizer owes it updates (Rows::exact) already", name_);
  }
  state().owed = std::move(owed);
}

void Parameter::freeze() {
  state().frozen = true;
  discard_gradient();
}

void discard_gradients(const std::vector<Parameter>& parameters) {
  for (Parameter parameter : parameters) parameter.discard_gradient();
}

}  // namespace temper
