#include <temper/models/cnn/cnn.hpp>
#include <temper/run/classify.hpp>
#include <temper/run/program.hpp>

int main(int argc, char** argv) {
  using namespace temper;
  using namespace temper::models;
  return run_program({.name = "cnn", .description = "Trains a small convolutional network on Fashion-MNIST."}, argc,
                     argv, [](Run& run) { train_on_fashion_mnist(run, cnn()); });
}
