#include <temper/models/cnn/cnn.hpp>

#include "models/common/fashion.hpp"

int main(int argc, char** argv) {
  using namespace temper::models;
  return run_program({.model = "cnn", .description = "Trains a small convolutional network on Fashion-MNIST."}, argc,
                     argv, [](Run& run) { train_on_fashion_mnist(run, cnn()); });
}
