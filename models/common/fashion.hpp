#pragma once

#include <temper/temper.hpp>

#include "models/common/options.hpp"

namespace temper::models {

/// Trains a classifier of [N, 28, 28, 1] images on Fashion-MNIST with AdamW, linear warm-up and linear decay, saves it
/// to OUT/model.safetensors and prints the test accuracy as the last line.
void train_on_fashion_mnist(const nn::Sequential& model, const TrainOptions& options);

}  // namespace temper::models
