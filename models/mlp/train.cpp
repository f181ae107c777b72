#include <temper/models/mlp/mlp.hpp>

#include "models/common/fashion.hpp"

int main(int argc, char** argv) {
  using namespace temper::models;
  return run_program("mlp", "Trains a multilayer perceptron on Fashion-MNIST.", {}, argc, argv,
                     [](const TrainOptions& options) { train_on_fashion_mnist(mlp(), options); });
}
