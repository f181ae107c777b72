// Parameters without elements.

#include <doctest/doctest.h>

#include <temper/optim/optim.hpp>

using namespace temper;
using namespace temper::optim;

TEST_CASE("every optimizer accepts parameters without elements and updates the others") {
  const auto check = [](auto make) {
    std::vector<Parameter> parameters;
    for (const Shape& shape : {Shape{0}, Shape{0, 5}, Shape{5, 0}, Shape{3, 4}}) {
      parameters.emplace_back(full(shape, 1.0f), Role::weight);
    }
    auto optimizer = make(parameters);
    CAPTURE(optimizer.name());
    for (int step = 0; step < 3; ++step) {
      for (Parameter& parameter : parameters) parameter.set_gradient(full(parameter.shape(), 0.5f));
      optimizer.step({.measure = true});
    }
    CHECK(parameters.back().value().data<float>()[7] < 1.0f);
  };
  check([](const auto& p) { return SGD(p, {.lr = 0.1, .momentum = 0.9}); });
  check([](const auto& p) { return AdamW(p, {.lr = 0.1, .clip_norm = 1.0}); });
  check([](const auto& p) { return AdamW(p, {.lr = 0.1, .moments = Moments::bits8}); });
  check([](const auto& p) { return NAdam(p, {.lr = 0.1}); });
  check([](const auto& p) { return Adamax(p, {.lr = 0.1}); });
  check([](const auto& p) { return Adagrad(p, {.lr = 0.1}); });
  check([](const auto& p) { return RMSprop(p, {.lr = 0.1}); });
  check([](const auto& p) { return Lion(p, {.lr = 0.1}); });
  check([](const auto& p) { return LAMB(p, {.lr = 0.1}); });
  check([](const auto& p) { return Adafactor(p, {.lr = 0.1}); });
  check([](const auto& p) { return Muon(p, {.lr = 0.1}); });
}
