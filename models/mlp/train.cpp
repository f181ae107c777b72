#include <temper/models/mlp/mlp.hpp>

#include "models/common/fashion.hpp"

int main(int argc, char** argv) {
  using namespace temper::models;
  return run_program({.model = "mlp", .description = "Trains a multilayer perceptron on Fashion-MNIST."}, argc, argv,
                     [](Run& run) { train_on_fashion_mnist(run, mlp()); });
}
