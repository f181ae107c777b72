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
  // Mostly of one class: with labels at random the gradients of single images nearly cancel, and what the kinks do to
  // the differences outweighs what is left.
  for (std::int64_t& label : labels.mutable_values<std::int64_t>()) {
    label = i % 4 == 0 ? i % classes : 3;
    ++i;
  }
  test::check_directional(model.parameters(),
                          [&] { return cross_entropy(model(images), labels, {.reduction = Reduction::none}); });
}

}  // namespace

// Narrower than they are trained: the fewer the parameters, the more a wrong gradient of some of them shows.

TEST_CASE("the MLP's gradient is its slope in every direction") {
  manual_seed(3);
  check_classifier(models::mlp({.hidden1 = 32, .hidden2 = 16, .classes = classes}));
}

TEST_CASE("the CNN's gradient is its slope in every direction") {
  manual_seed(3);
  check_classifier(models::cnn({.width1 = 4, .width2 = 8, .hidden = 32, .classes = classes}));
}
