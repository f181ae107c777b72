#include "tests/models/directional.hpp"

#include <temper/models/cnn/cnn.hpp>
#include <temper/models/mlp/mlp.hpp>
#include <temper/temper.hpp>

using namespace temper;

namespace {

constexpr std::int64_t classes = 10;

void check_classifier(const nn::Sequential& model) {
  constexpr std::int64_t batch = 256;
  const Tensor images = normal({batch, 28, 28, 1});
  Tensor labels = empty({batch}, Dtype::i64);
  std::int64_t i = 0;
  // Mostly of one class: with random labels the gradients of single images nearly cancel, and the errors that the kinks
  // of relu and max pooling cause in the differences would be larger than their sum.
  for (std::int64_t& label : labels.mutable_values<std::int64_t>()) {
    label = i % 4 == 0 ? i % classes : 3;
    ++i;
  }
  test::check_directional(model.parameters(),
                          [&] { return cross_entropy(model(images), labels, {.reduction = Reduction::none}); });
}

}  // namespace

// Smaller than the default models: with fewer parameters, a wrong gradient of one is a larger part of the whole.

TEST_CASE("the MLP's gradient agrees with directional differences") {
  manual_seed(3);
  check_classifier(models::mlp({.hidden1 = 32, .hidden2 = 16, .classes = classes}));
}

TEST_CASE("the CNN's gradient agrees with directional differences") {
  manual_seed(3);
  check_classifier(models::cnn({.width1 = 4, .width2 = 8, .hidden = 32, .classes = classes}));
}
