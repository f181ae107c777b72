#include <doctest/doctest.h>

#include <pthread.h>

#include <cmath>
#include <optional>
#include <vector>

#include <temper/autograd/random.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>
#include <temper/core/pool.hpp>

#include "tests/autograd/numbers.hpp"

using namespace temper;
using namespace temper::test;

TEST_CASE("gradients of a value that is used twice add up") {
  const Parameter a = number(3), b = number(4);
  Tape tape;
  const Tensor ab = times(a, b);
  tape.backward(plus(times(ab, ab), twice(a)));  // 2 a^2 b^2 derivatives, plus 2
  CHECK(a.gradient().item() == 2 * 3 * 16 + 2);
  CHECK(b.gradient().item() == 2 * 9 * 4);
}

TEST_CASE("gradients of several backwards add up until they are discarded") {
  const Parameter a = number(3);
  for (int i = 1; i <= 3; ++i) {
    Tape tape;
    tape.backward(times(a, a));
    CHECK(a.gradient().item() == 6 * i);
  }
  discard_gradients({a});
  CHECK_FALSE(a.gradient().defined());
}

TEST_CASE("a gradient that two inputs get is not modified through one of them") {
  const Parameter a = number(1), b = number(1);
  Tape tape;
  tape.backward(plus(plus(a, b), twice(a)));
  CHECK(a.gradient().item() == 3);
  CHECK(b.gradient().item() == 1);
}

TEST_CASE("nothing is recorded without a tape, on constants, under NoTape, or after backward") {
  const Parameter a = number(2);
  times(a, a);
  Tape tape;
  times(scalar(1), scalar(2));
  CHECK(tape.size() == 0);
  {
    const NoTape pause;
    CHECK_FALSE(recording());
    times(a, a);
  }
  CHECK(tape.size() == 0);
  const Tensor y = times(a, a);
  CHECK(tape.size() == 1);
  tape.backward(y);
  CHECK_FALSE(recording());
  times(a, a);
  CHECK(tape.size() == 0);
}

TEST_CASE("tapes nest: the innermost records") {
  const Parameter a = number(3);
  Tape outer;
  const Tensor y = times(a, a);
  {
    Tape inner;
    const Tensor z = twice(a);
    CHECK(inner.size() == 1);
    inner.backward(z);
    twice(a);  // the inner tape has finished, so the outer one records
    CHECK(outer.size() == 2);
  }
  CHECK(a.gradient().item() == 2);
  const Tensor loss = times(y, a);
  CHECK(outer.size() == 3);
  outer.backward(loss);
  CHECK(a.gradient().item() == 2 + 27);
}

TEST_CASE("an inner tape may outlive its outer one") {
  const Parameter a = number(3);
  std::optional<Tape> outer;
  outer.emplace();
  Tape inner;
  outer.reset();
  const Tensor y = times(a, a);
  inner.backward(y);
  CHECK(a.gradient().item() == 6);
  CHECK_FALSE(recording());
}

TEST_CASE("watched tensors get gradients, also on two tapes at once") {
  const Tensor x = scalar(5);
  Tape outer;
  outer.watch(x);
  const Tensor y = times(x, x);
  {
    Tape inner;
    inner.watch(x);
    inner.backward(twice(x));
    CHECK(inner.gradient(x).item() == 2);
  }
  outer.backward(times(y, x));
  CHECK(outer.gradient(x).item() == 75);
}

TEST_CASE("a watched tensor the loss does not depend on has gradient zero") {
  const Tensor x = scalar(5), unused = zeros({2, 2});
  Tape tape;
  tape.watch(x);
  tape.watch(unused);
  tape.backward(twice(x));
  CHECK(tape.gradient(unused).shape() == Shape{2, 2});
  CHECK(tape.gradient(unused).data<float>()[3] == 0);
  CHECK_THROWS_WITH_AS(tape.gradient(scalar(1)), "gradient: tensor [] was not watched by this tape", TapeError);
}

TEST_CASE("frozen parameters and tensors of stop_gradient are constants") {
  Parameter a = number(3), b = number(4);
  b.freeze();
  Tape tape;
  tape.backward(plus(times(a, b), times(a, stop_gradient(a))));
  CHECK(a.gradient().item() == 4 + 3);
  CHECK_FALSE(b.gradient().defined());
}

TEST_CASE("a parameter that is frozen while a tape records is a constant from then on") {
  Parameter a = number(3);
  Tape tape;
  const Tensor y = times(a, a);
  a.freeze();
  const Tensor z = times(y, a);
  a.unfreeze();
  tape.backward(z);
  CHECK(a.gradient().item() == 6 * 3);
}

TEST_CASE("a frozen parameter that is watched has a gradient on the tape, but none of its own") {
  Parameter a = number(3);
  a.freeze();
  Tape tape;
  tape.watch(a);
  tape.backward(times(a, a));
  CHECK(tape.gradient(a).item() == 6);
  CHECK_FALSE(a.gradient().defined());
}

TEST_CASE("backward for some parameters does not change the gradients of the others") {
  Parameter a = number(3), b = number(4);
  b.set_gradient(scalar(100));
  Tape tape;
  tape.backward(times(times(a, b), b), std::vector{a});
  CHECK(a.gradient().item() == 16);
  CHECK(b.gradient().item() == 100);
}

TEST_CASE("training mode is a property of the tape") {
  CHECK_FALSE(training());
  {
    Tape tape;
    CHECK(training());
    {
      const NoTape pause;
      CHECK_FALSE(training());
      const NoTape statistics(Mode::train);
      CHECK(training());
      CHECK_FALSE(recording());
    }
    CHECK(training());
    {
      Tape inner(Mode::evaluate);
      CHECK_FALSE(training());
      CHECK(recording());
    }
    CHECK(training());
  }
  CHECK_FALSE(training());
}

TEST_CASE("dropout keys depend on the seed, the training tape and the call") {
  const auto keys = [] {
    Tape tape;
    const auto first = detail::dropout_stream()(0), second = detail::dropout_stream()(0);
    CHECK(first != second);
    return first;
  };
  manual_seed(1);
  const auto one = keys(), two = keys();
  CHECK(one != two);
  {
    Tape tape(Mode::evaluate);  // evaluation does not advance the counter
  }
  const RandomState state = random_state();
  CHECK(state.tapes == 2);
  const auto three = keys();
  set_random_state(state);
  CHECK(keys() == three);
  manual_seed(1);
  CHECK(keys() == one);
  manual_seed(2);
  CHECK(keys() != one);
}

TEST_CASE("misuse of a tape is an exception that changes no gradient") {
  const Parameter a = number(3);
  SUBCASE("twice") {
    Tape tape;
    const Tensor y = times(a, a);
    tape.backward(y);
    CHECK_THROWS_WITH_AS(tape.backward(y), "backward: this tape has already run backward", TapeError);
    CHECK_THROWS_WITH_AS(tape.watch(scalar(1)), "watch: this tape has already run backward", TapeError);
    CHECK(a.gradient().item() == 6);
  }
  SUBCASE("on a non-scalar") {
    Tape tape;
    CHECK_THROWS_WITH_AS(tape.backward(zeros({2})), "backward: loss has shape [2], expected one element", TapeError);
  }
  SUBCASE("on something made before") {
    Tensor y;
    {
      Tape other;
      y = times(a, a);
    }
    Tape tape;
    CHECK_THROWS_WITH_AS(tape.backward(y),
                         "backward: loss [] was not recorded on this tape: it was made before the tape began",
                         TapeError);
  }
  SUBCASE("on a constant") {
    Tape tape;
    CHECK_THROWS_WITH_AS(tape.backward(scalar(1)),
                         "backward: loss [] was not recorded on this tape: it depends on no parameter and no watched "
                         "tensor used since the tape began",
                         TapeError);
  }
  SUBCASE("on what depends on frozen parameters alone") {
    Parameter b = number(2);
    b.freeze();
    Tape tape;
    CHECK_THROWS_WITH_AS(tape.backward(times(b, b)),
                         "backward: loss [] was not recorded on this tape: it depends on no watched tensor and on "
                         "no parameter that is not frozen; see Parameter::unfreeze",
                         TapeError);
  }
  SUBCASE("on what another tape recorded") {
    Tape outer;
    const Tensor y = times(a, a);
    Tape inner;
    const Tensor z = times(a, a);
    CHECK_THROWS_WITH_AS(outer.backward(z), "backward: loss [] was not recorded on this tape: another tape did that",
                         TapeError);
    CHECK_THROWS_WITH_AS(inner.backward(y), "backward: loss [] was not recorded on this tape: another tape did that",
                         TapeError);
  }
  SUBCASE("on nothing") {
    Tape tape;
    CHECK_THROWS_WITH_AS(tape.backward(Tensor()), "backward: loss is an undefined tensor", ValueError);
    CHECK_THROWS_WITH_AS(tape.watch(Tensor()), "watch: an undefined tensor", ValueError);
  }
  SUBCASE("an operation that gives nothing") {
    Tape tape;
    CHECK_THROWS_WITH_AS(record("none", Tensor(), {a.value()}, [](const Tensor&, Gradients&) {}),
                         "none: recorded an undefined tensor", ValueError);
    CHECK(tape.size() == 0);
  }
  SUBCASE("after a saved tensor was changed") {
    Tape tape;
    const Tensor y = times(a, a);
    Tensor value = a.value();
    value.fill(7);
    CHECK_THROWS_WITH_AS(tape.backward(y), doctest::Contains("was changed in place after it was used"), TapeError);
    CHECK_FALSE(a.gradient().defined());
  }
  SUBCASE("gradient before backward") {
    Tape tape;
    CHECK_THROWS_WITH_AS(tape.gradient(a), "gradient: call backward first", TapeError);
  }
  SUBCASE("an operation whose backward gives a wrong shape") {
    const Parameter b = number(2);
    Tape tape;
    const Tensor y = record("broken", scalar(1), {a.value()},
                            [](const Tensor&, Gradients& gradients) { gradients.give(0, zeros({2})); });
    CHECK_THROWS_WITH_AS(tape.backward(plus(y, b)), "broken: backward gave a gradient of f32 [2], expected f32 []",
                         TapeError);
    CHECK_FALSE(b.gradient().defined());
    CHECK_FALSE(recording());
  }
  SUBCASE("an operation that speaks of an input it did not record") {
    Tape tape;
    const Tensor y = record("broken", scalar(1), {a.value()},
                            [](const Tensor&, Gradients& gradients) { gradients.give(1, scalar(1)); });
    CHECK_THROWS_WITH_AS(tape.backward(y), "broken: backward spoke of input 1, the operation recorded 1", TapeError);
  }
  SUBCASE("an operation that asks for the shape of an input: of one that is wanted it gets it") {
    Tape tape;
    const Parameter vector(zeros({3}), Role::weight);
    Shape seen;
    const Tensor y =
        record("broken", scalar(1), {vector.value(), zeros({2})}, [&seen](const Tensor&, Gradients& gradients) {
          seen = gradients.shape(0);
          gradients.shape(1);
        });
    CHECK_THROWS_WITH_AS(tape.backward(y),
                         "broken: backward asked for the shape of input 1, whose gradient nobody wants", TapeError);
    CHECK(seen == Shape{3});
  }
}

TEST_CASE("changing a tensor is an error only if backward still needs it") {
  const Parameter a = number(3);
  Tape tape;
  Tensor y = twice(a);
  const Tensor z = plus(y, a);  // saves nothing
  y.fill(0);
  CHECK_THROWS_WITH_AS(
      plus(a, y), "plus: input 1 [] was changed in place after it was recorded, of which its gradient knows nothing",
      TapeError);
  CHECK(tape.size() == 2);
  tape.backward(z);
  CHECK(a.gradient().item() == 3);
}

TEST_CASE("a parameter may die before backward") {
  Tape tape;
  const Parameter a = number(3);
  Tensor y;
  {
    const Parameter b = number(4);
    y = times(a, b);
  }
  tape.backward(y);
  CHECK(a.gradient().item() == 4);
}

TEST_CASE("backward releases saved tensors as it goes") {
  const Parameter a = number(2);
  {
    Tape tape;
    times(a, a);  // allocates the arena
  }
  const std::size_t before = pool_stats().live;
  {
    Tape tape;
    Tensor y = a;
    for (int i = 0; i < 100; ++i) y = times(y, a);
    CHECK(pool_stats().live > before + 100 * 128);
    tape.backward(y);
    y = Tensor();
    // Only the gradient and the arena are left.
    CHECK(pool_stats().live < before + 100 * 128);
  }
}

namespace {

void* million_operations(void* result) {
  const Parameter a = number(1);
  Tensor y = a;
  {
    Tape tape;
    for (int i = 0; i < 500000; ++i) {
      y = times(y, a);
      y = plus(y, scalar(0));
    }
    tape.backward(y);
  }
  *static_cast<double*>(result) = a.gradient().item();
  // A tape that is destroyed without backward.
  Tape tape;
  for (int i = 0; i < 1000000; ++i) y = plus(y, a);
  return nullptr;
}

void* wide_fan_in(void* result) {
  const Parameter a = number(1);
  Tape tape;
  Tensor y = a;
  for (int i = 0; i < 100000; ++i) y = plus(stop_gradient(y), a), y = plus(y, a);
  Tensor sum = scalar(0);
  for (int i = 0; i < 100000; ++i) sum = plus(sum, plus(a, a));
  tape.backward(sum);
  *static_cast<double*>(result) = a.gradient().item();
  return nullptr;
}

double on_small_stack(void* (*work)(void*)) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  REQUIRE(pthread_attr_setstacksize(&attributes, 256 * 1024) == 0);
  double result = 0;
  pthread_t thread;
  REQUIRE(pthread_create(&thread, &attributes, work, &result) == 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  return result;
}

}  // namespace

TEST_CASE("a million operations run on a stack of 256 KiB") {
  CHECK(on_small_stack(million_operations) == 500001);
  CHECK(on_small_stack(wide_fan_in) == 200000);
}
