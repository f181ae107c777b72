#pragma once

#include <cstdint>

#include <temper/nn/sequential.hpp>

namespace temper::models {

/// Sizes of a multilayer perceptron.
struct MlpConfig {
  std::int64_t inputs = 28 * 28;
  std::int64_t hidden1 = 256;
  std::int64_t hidden2 = 128;
  std::int64_t classes = 10;
};

/// Two hidden layers with ReLU. Input: [N, ...] with `inputs` numbers per example; output: logits [N, classes].
nn::Sequential mlp(const MlpConfig& config = {});

}  // namespace temper::models
