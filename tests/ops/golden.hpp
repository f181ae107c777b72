#pragma once

#include <string>
#include <vector>

#include <temper/tensor/tensor.hpp>

#include "tests/reference/array.hpp"

namespace temper::test {

/// One recorded case; see tests/golden/record_ops.py.
struct GoldenCase {
  std::string op;
  int number;
  reference::Attributes attributes;
  std::vector<Tensor> inputs;
  std::vector<Tensor> outputs;
  std::vector<Tensor> weights;    // one per output, undefined if the output has no gradient
  std::vector<Tensor> gradients;  // one per input, undefined if the input has none
};

/// All cases, in the order of the file.
const std::vector<GoldenCase>& golden_cases();

}  // namespace temper::test
