#include <doctest/doctest.h>

#include <temper/autograd/ops.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>

using namespace temper;

namespace {

float at(const Tensor& x, std::size_t i) { return x.values<float>()[i]; }

}  // namespace

TEST_CASE("gradients flow through view, rows and clone") {
  const Parameter p(from({1, 2, 3, 4, 5, 6}, {3, 2}), Role::weight);
  Tape tape;
  const Tensor viewed = p.value().view({2, 3}), middle = p.value().rows(1, 2), copied = p.value().clone();
  CHECK(tape.size() == 3);
  tape.backward(sum(viewed * viewed) + sum(middle) + 10.0f * sum(copied));
  for (std::size_t i = 0; i < 6; ++i) {
    const float own = static_cast<float>(i + 1);
    CHECK(at(p.gradient(), i) == 2 * own + (i / 2 == 1 ? 1 : 0) + 10);
  }
}

TEST_CASE("views and copies of constants, and under a NoTape, are not recorded") {
  const Parameter p(ones({2, 2}), Role::weight);
  const Tensor x = ones({2, 2}), ids = arange(4);
  Tape tape;
  x.view({4}).rows(0, 2).clone();
  ids.view({2, 2});
  {
    const NoTape pause;
    p.value().view({4});
  }
  CHECK(tape.size() == 0);
}

TEST_CASE("stop_gradient stops gradients, and a parameter made of a recorded tensor is a new leaf") {
  const Parameter p(full({2}, 3.0f), Role::weight);
  Tape tape;
  const Parameter own(p.value() * 2.0f, Role::weight);
  tape.backward(sum(p.value().view({2}) * stop_gradient(p.value().clone()) * own));
  CHECK(at(p.gradient(), 0) == 3 * 6);
  CHECK(at(own.gradient(), 0) == 9);
}

TEST_CASE("copying elements out of a recorded tensor is an error, as no gradient would flow") {
  const Parameter p(ones({2}), Role::weight);
  Tensor kept = zeros({2});
  Tape tape;
  const Tensor y = p * 2.0f;
  CHECK_THROWS_WITH_AS(
      kept.copy_from(y),
      "copy_from: a gradient is to flow through the source [2], which copying cuts; say stop_gradient(source)",
      TapeError);
  CHECK(at(kept, 0) == 0);
  kept.copy_from(stop_gradient(y));
  CHECK(at(kept, 0) == 2);
  const Tensor x = ones({2});
  kept.copy_from(x);
  tape.watch(x);  // allowed, as the failed call does not count as a use
  {
    const NoTape pause;
    kept.copy_from(p);
  }
  tape.backward(sum(y));
  kept.copy_from(y);
}
