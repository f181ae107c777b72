#pragma once

#include <temper/autograd/parameter.hpp>

namespace temper::nn {

/// The parameter's value, or an undefined tensor for an undefined parameter: for operations with optional inputs.
inline Tensor optional(const Parameter& parameter) { return parameter.defined() ? parameter.value() : Tensor(); }

}  // namespace temper::nn
