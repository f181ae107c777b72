// Which tensors get gradients, and when gradients must not change.

#include <doctest/doctest.h>

#include <temper/autograd/gradcheck.hpp>
#include <temper/autograd/ops.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>
#include <temper/core/random.hpp>

#include <algorithm>
#include <thread>
#include <vector>

#include "tests/autograd/numbers.hpp"

using namespace temper;
using namespace temper::test;

TEST_CASE("a parameter or a watched tensor may itself be the loss") {
  const Parameter a = number(3);
  {
    Tape tape;
    tape.backward(a);
    CHECK(a.gradient().item() == 1);
  }
  const Tensor x = scalar(5);
  Tape tape;
  tape.watch(x);
  tape.backward(x);
  CHECK(tape.gradient(x).item() == 1);
}

TEST_CASE("something computed on the tape may be watched, before its use or after") {
  const Parameter a = number(3);
  Tape tape;
  const Tensor y = times(a, a);
  tape.watch(y);
  const Tensor z = times(y, y);
  const Tensor loss = plus(times(z, a), y);
  tape.watch(z);
  tape.backward(loss);
  CHECK(tape.gradient(z).item() == 3);
  CHECK(tape.gradient(y).item() == 2 * 9 * 3 + 1);
  CHECK(a.gradient().item() == 6 * (2 * 9 * 3 + 1) + 81);
}

TEST_CASE("a watched parameter has the gradient of this tape, and the sum over all tapes") {
  const Parameter a = number(3), b = number(1);
  for (int i = 1; i <= 2; ++i) {
    Tape tape;
    const Tensor y = times(a, a);
    tape.watch(a);
    tape.backward(y);
    CHECK(tape.gradient(a).item() == 6);
    CHECK(a.gradient().item() == 6 * i);
  }
  Tape tape;
  tape.watch(a);
  tape.backward(times(times(a, a), b), std::vector{b});
  CHECK(tape.gradient(a).item() == 6);
  CHECK(a.gradient().item() == 12);
  CHECK(b.gradient().item() == 9);
}

TEST_CASE("an input that was used already cannot be watched any more") {
  const Parameter a = number(3);
  const Tensor x = scalar(5);
  Tape tape;
  const Tensor y = times(x, a);
  CHECK_THROWS_WITH_AS(
      tape.watch(x),
      "watch: tensor [] was used on this tape before; watch it first, or that use is missing in its gradient",
      TapeError);
  tape.backward(y);
  CHECK(a.gradient().item() == 5);
}

TEST_CASE("a backward function that throws leaves every gradient as it was") {
  const Parameter a = number(3), b = number(4);
  {
    Tape tape;
    tape.backward(times(a, a));
  }
  const Tensor before = a.gradient();
  Tape tape;
  const Tensor bad = record("bad", scalar(1), {b.value()}, [](const Tensor&, Gradients&) { throw ValueError("no"); });
  CHECK_THROWS_WITH_AS(tape.backward(plus(plus(bad, a), times(a, a))), "no", ValueError);
  CHECK(a.gradient().same(before));
  CHECK(a.gradient().item() == 6);
  CHECK_FALSE(b.gradient().defined());
  CHECK_FALSE(recording());
}

TEST_CASE("a parameter frozen before backward gets no gradient") {
  Parameter a = number(3), b = number(4);
  Tape tape;
  const Tensor y = times(a, b);
  b.freeze();
  tape.backward(y);
  CHECK(a.gradient().item() == 4);
  CHECK_FALSE(b.gradient().defined());
}

TEST_CASE("an undefined parameter says so") {
  const Parameter none;
  const char* const text = "an undefined parameter was used, such as the bias of a layer without one; see defined()";
  CHECK_FALSE(none.defined());
  CHECK_THROWS_WITH_AS(none.value(), text, ValueError);
  CHECK_THROWS_WITH_AS(none.shape(), text, ValueError);
  CHECK_THROWS_WITH_AS(none.gradient(), text, ValueError);
  CHECK_THROWS_WITH_AS(none.frozen(), text, ValueError);
  CHECK_THROWS_WITH_AS(Parameter(none).freeze(), text, ValueError);
  CHECK_THROWS_WITH_AS(Parameter(none).set_value(ones({2})), text, ValueError);
}

TEST_CASE("gradcheck does not advance the program's random generator") {
  manual_seed(1);
  const Tensor x = normal({8});
  Tensor weights;
  const auto f = [&](std::span<const Tensor> inputs) {
    return record("identity", inputs[0].clone(), {inputs[0]}, [&](const Tensor& dy, Gradients& gradients) {
      weights = dy;
      gradients.give(0, dy);
    });
  };
  gradcheck(f, {x});
  CHECK_FALSE(std::ranges::equal(weights.values<float>(), x.values<float>()));
}

TEST_CASE("gradcheck leaves the draws of other threads alone") {
  manual_seed(1);
  gradcheck(
      [](std::span<const Tensor> inputs) {
        std::thread([] { normal({1}); }).join();
        return inputs[0] * normal({4});
      },
      {ones({4})}, {.directions = 2});
  CHECK(random_state().draws == 5);  // one for each evaluation
}

TEST_CASE("a backward that refuses leaves the tape recording") {
  const Parameter p(scalar(2.0f), Role::weight);
  Tape tape;
  const Tensor square = p * p;
  CHECK_THROWS_AS(tape.backward(scalar(1.0f)), TapeError);  // was not recorded
  tape.backward(square * p);
  CHECK(p.gradient().item() == doctest::Approx(12.0));
}
