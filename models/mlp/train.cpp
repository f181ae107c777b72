#include <temper/models/mlp/mlp.hpp>
#include <temper/run/classify.hpp>
#include <temper/run/program.hpp>

int main(int argc, char** argv) {
  using namespace temper;
  using namespace temper::models;
  return run_program({.name = "mlp", .description = "Trains a multilayer perceptron on Fashion-MNIST."}, argc, argv,
                     [](Run& run) { train_on_fashion_mnist(run, mlp()); });
}
