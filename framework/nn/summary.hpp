#pragma once

#include <string>

#include <temper/nn/module.hpp>

namespace temper::nn {

/// A table of a model's parts: name, layer, parameter shapes, counts and memory, with totals.
std::string summary(const Module& module);

/// The same with the output shape of every layer, found by running the model once on `example` without recording.
/// The model must be a Layer (a Sequential is one). Throws: ValueError when it is not.
std::string summary(const Module& module, const Tensor& example);

}  // namespace temper::nn
