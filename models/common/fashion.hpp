#pragma once

#include "models/common/program.hpp"

namespace temper::models {

/// Trains a classifier of [N, 28, 28, 1] images on Fashion-MNIST.
void train_on_fashion_mnist(Run& run, const nn::Sequential& model);

/// Shows in the run's report the first test images that the model takes for something else.
void sample_mistakes(Run& run, const nn::Layer& model, const data::FashionMnist& test);

}  // namespace temper::models
