#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <thread>

#include <temper/autograd/recompute.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>

#include "tests/autograd/numbers.hpp"

using namespace temper;
using namespace temper::test;

namespace {

/// Whether this thread has no tape and the default mode.
bool nothing_left() { return !training() && !recording(); }

}  // namespace

TEST_CASE("a tape that runs backward under a NoTape resets the thread's state") {
  const Parameter a = number(3);
  {
    Tape tape;
    const Tensor y = times(a, a);
    const NoTape pause;
    tape.backward(y);
    CHECK(nothing_left());
  }
  CHECK(a.gradient().item() == 6);
  CHECK(nothing_left());
}

TEST_CASE("a tape that is destroyed under a NoTape resets the thread's state") {
  std::optional<Tape> tape(std::in_place);
  {
    const NoTape pause;
    tape.reset();
    CHECK(nothing_left());
  }
  CHECK(nothing_left());
}

TEST_CASE("an outer tape records again when an inner one has run backward under a NoTape") {
  const Parameter a = number(3);
  Tape outer(Mode::evaluate);
  {
    Tape inner;
    const Tensor y = times(a, a);
    {
      const NoTape pause;
      inner.backward(y);
      CHECK_FALSE(recording());
    }
    CHECK(recording());
    CHECK_FALSE(training());
  }
  const Tensor y = times(a, a);
  CHECK(outer.size() == 1);
  outer.backward(y);
  CHECK(a.gradient().item() == 6 + 6);
  CHECK(nothing_left());
}

TEST_CASE("scopes may end in any order") {
  const Parameter a = number(3);
  std::optional<Tape> first(std::in_place, Mode::train), third(std::in_place, Mode::evaluate);
  first.reset();
  third.reset();
  CHECK(nothing_left());

  first.emplace();
  std::optional<NoTape> second(std::in_place);
  third.emplace(Mode::evaluate);
  second.reset();
  CHECK(recording());
  CHECK_FALSE(training());
  times(a, a);
  CHECK(third->size() == 1);
  first.reset();
  CHECK(recording());
  times(a, a);
  CHECK(third->size() == 2);
  third.reset();
  CHECK(nothing_left());

  // A NoTape must not restore the recorder of a tape that ended meanwhile, as another tape uses it now.
  first.emplace();
  second.emplace();
  first.reset();
  third.emplace(Mode::evaluate);
  second.reset();
  CHECK_FALSE(training());
  third.reset();
  CHECK(nothing_left());
}

TEST_CASE("a tape belongs to the thread it was made on") {
  const Parameter a = number(3);
  Tape tape;
  const Tensor y = times(a, a);
  std::thread([&] {
    CHECK_FALSE(recording());
    CHECK_THROWS_WITH_AS(tape.backward(y), "backward: this tape was made on another thread", TapeError);
    CHECK_THROWS_WITH_AS(tape.watch(scalar(1)), "watch: this tape was made on another thread", TapeError);
  }).join();
  tape.backward(y);
  CHECK(a.gradient().item() == 6);
}

TEST_CASE("a tape destroyed on another thread stops recording on its own") {
  const Parameter a = number(3);
  auto tape = std::make_unique<Tape>();
  times(a, a);
  std::thread([&] {
    tape.reset();
    CHECK(nothing_left());
    Tape other;  // with another recorder
    times(a, a);
    CHECK(other.size() == 1);
  }).join();
  CHECK(nothing_left());
  times(a, a);

  std::unique_ptr<Tape> left;
  std::thread([&] {
    left = std::make_unique<Tape>();
    times(a, a);
  }).join();
  left.reset();  // its thread has ended
  CHECK(nothing_left());
  Tape last;
  const Tensor y = times(a, a);
  last.backward(y);
  CHECK(a.gradient().item() == 6);
}

TEST_CASE("a tape that ends while it recomputes a block ends the recomputation too") {
  const Parameter a = number(3);
  auto tape = std::make_unique<Tape>();
  const Tensor y = recompute(
      [&](const Tensor& x) {
        tape.reset();
        CHECK(nothing_left());
        return times(x, a);
      },
      scalar(2));
  CHECK(y.item() == 6);
  CHECK(nothing_left());

  Tape other;
  CHECK_THROWS_WITH_AS(recompute(
                           [&](const Tensor& x) {
                             other.backward(times(x, a));
                             return x;
                           },
                           scalar(2)),
                       "backward: called in a block that recompute runs", TapeError);
  CHECK_THROWS_WITH_AS(recompute(
                           [&](const Tensor& x) {
                             other.watch(x);
                             return x;
                           },
                           scalar(2)),
                       "watch: a block that recompute runs cannot watch a tensor", TapeError);
  other.backward(times(a, a));
  CHECK(a.gradient().item() == 6);
}
