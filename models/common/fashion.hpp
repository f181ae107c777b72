#pragma once

#include "models/common/program.hpp"

namespace temper::models {

/// Trains a classifier of [N, 28, 28, 1] images on Fashion-MNIST.
void train_on_fashion_mnist(Run& run, const nn::Sequential& model);

}  // namespace temper::models
