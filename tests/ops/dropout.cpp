// What dropout does at random cannot be recorded, but it has properties.

#include <temper/autograd/ops/dropout.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include <temper/autograd/tape.hpp>
#include <temper/core/random.hpp>

using namespace temper;

namespace {

/// The sum as an operation of its own, whose gradient is `dy`.
Tensor weighted_sum(const Tensor& y, const Tensor& dy) {
  return record("weighted sum", scalar(0), {y},
                [dy](const Tensor&, Gradients& gradients) { gradients.give(0, dy.clone()); });
}

bool equal_bits(const Tensor& a, const Tensor& b) { return std::ranges::equal(a.values<float>(), b.values<float>()); }

}  // namespace

TEST_CASE("dropout keeps an element divided by 1 - p, or drops it, and its gradient likewise") {
  for (const double p : {0.1, 0.5, 0.9}) {
    for (const std::int64_t size : {0, 1, 7, 8, 9, 15, 16, 17, 31, 33, 10007}) {
      CAPTURE(p);
      CAPTURE(size);
      manual_seed(7);
      const Tensor x = uniform({size}, 1, 2), dy = uniform({size}, 1, 2);
      Tape tape;
      tape.watch(x);
      const Tensor y = dropout(x, p);
      tape.backward(weighted_sum(y, dy));
      const Tensor dx = tape.gradient(x);

      std::int64_t dropped = 0, wrong = 0;
      for (std::int64_t i = 0; i < size; ++i) {
        const bool zero = y.data<float>()[i] == 0;
        dropped += zero;
        const auto wanted = [&](const Tensor& source) { return zero ? 0.0 : source.data<float>()[i] / (1 - p); };
        wrong += !(std::abs(y.data<float>()[i] - wanted(x)) <= 1e-6 * wanted(x));
        wrong += !(std::abs(dx.data<float>()[i] - wanted(dy)) <= 1e-6 * wanted(dy));
      }
      CHECK(wrong == 0);
      // Five standard deviations of a binomial.
      const double n = static_cast<double>(size);
      CHECK(std::abs(static_cast<double>(dropped) - n * p) <= 5 * std::sqrt(n * p * (1 - p)) + 1);
    }
  }
}

TEST_CASE("a dropout mask depends on the seed, the training tape and the call, and on nothing else") {
  const Tensor x = ones({1000});
  const auto first_calls = [&](std::uint64_t seed) {
    manual_seed(seed);
    Tape tape;
    return std::pair(dropout(x, 0.5), dropout(x, 0.5));
  };
  const auto [one, two] = first_calls(1);
  const auto [one_again, two_again] = first_calls(1);
  CHECK(equal_bits(one, one_again));
  CHECK(equal_bits(two, two_again));
  CHECK_FALSE(equal_bits(one, two));
  CHECK_FALSE(equal_bits(one, first_calls(2).first));
  first_calls(1);
  Tape next;
  CHECK_FALSE(equal_bits(dropout(x, 0.5), one));
}

TEST_CASE("dropout does nothing unless training") {
  const Tensor x = ones({100});
  CHECK(equal_bits(dropout(x, 0.5), x));
  Tape tape(Mode::evaluate);
  CHECK(equal_bits(dropout(x, 0.5), x));
}
