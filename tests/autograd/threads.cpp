// Threads that share parameters, each with its own tapes.

#include <doctest/doctest.h>

#include <atomic>
#include <latch>
#include <thread>
#include <vector>

#include <temper/autograd/ops.hpp>
#include <temper/autograd/recompute.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>
#include <temper/core/random.hpp>

#include "tests/autograd/numbers.hpp"

using namespace temper;
using namespace temper::test;

namespace {

constexpr int threads = 4, rounds = 3000;

/// Runs work(thread) on several threads at once.
template <class Work>
void on_threads(Work work) {
  std::latch all(threads);
  std::vector<std::thread> running;
  for (int i = 0; i < threads; ++i) {
    running.emplace_back([&, i] {
      all.arrive_and_wait();
      work(i);
    });
  }
  for (std::thread& thread : running) thread.join();
}

}  // namespace

TEST_CASE("gradients of threads that share parameters add up exactly") {
  const Parameter a(ones({1 << 14}), Role::weight), b(full({1 << 14}, 2.0f), Role::weight);
  on_threads([&](int) {
    for (int i = 0; i < rounds / 10; ++i) {
      Tape tape;
      tape.backward(sum(a * b + 2.0f * a));
    }
  });
  for (const float g : a.gradient().values<float>()) REQUIRE(g == threads * (rounds / 10) * 4);
  for (const float g : b.gradient().values<float>()) REQUIRE(g == threads * (rounds / 10));
}

TEST_CASE("gradients of inputs are each thread's own when parameters are shared") {
  const Parameter a = number(3);
  std::atomic<int> wrong = 0;
  on_threads([&](int thread) {
    const Tensor x = scalar(static_cast<float>(thread + 1));
    for (int i = 0; i < rounds; ++i) {
      Tape tape;
      tape.watch(x);
      Tensor h = times(x, a);
      for (int step = 0; step < 3; ++step) h = times(plus(h, a), x);
      tape.backward(h, std::vector<Parameter>{});
      // h = a x^4 + a (x^3 + x^2 + x)
      const double v = thread + 1, expected = 3 * (4 * v * v * v + 3 * v * v + 2 * v + 1);
      wrong += tape.gradient(x).item() != expected;
    }
  });
  CHECK(wrong == 0);
  CHECK_FALSE(a.gradient().defined());
}

TEST_CASE("threads share a model with recomputed blocks while others draw dropout masks") {
  manual_seed(5);
  const Parameter w(full({4, 4}, 0.5f), Role::weight);
  const Tensor x = ones({3, 4});
  std::atomic<int> failed = 0;
  on_threads([&](int) {
    for (int i = 0; i < rounds / 10; ++i) {
      try {
        Tape tape;
        const auto block = [&w](const Tensor& in) { return dropout(linear(in, w), 0.5) + normal({4}); };
        tape.backward(sum(recompute(block, recompute(block, x))));
      } catch (const TapeError&) {  // the second run drew other numbers
        ++failed;
      }
    }
  });
  CHECK(failed == 0);
  CHECK(random_state().draws == threads * (rounds / 10) * 2);
}
