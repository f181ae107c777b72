#pragma once

#include <functional>
#include <string>
#include <vector>

#include <temper/tensor/tensor.hpp>

namespace temper::test {

using Arguments = std::vector<Tensor>;

/// An operation that is called without one of its arguments.
struct Operation {
  std::string name;
  std::vector<std::string> names;  ///< names in errors of the arguments that must be defined
  Arguments arguments;             ///< valid arguments
  std::function<void(const Arguments&)> call;
};

// Those that undefined.cpp does not list itself.

std::vector<Operation> element_operations();
std::vector<Operation> loss_operations();

}  // namespace temper::test
