#include <temper/train/histogram.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include <temper/autograd/ops/cast.hpp>
#include <temper/core/errors.hpp>
#include <temper/tensor/tensor.hpp>

using namespace temper;

TEST_CASE("a histogram counts values in equal cells from the smallest to the largest") {
  const Histogram found = Histogram::of(from({0, 1, 1.9f, 2, 3, 4}, {6}), 4);
  CHECK(found.low == 0);
  CHECK(found.high == 4);
  CHECK(found.counts == std::vector<std::int64_t>{1, 2, 1, 2});  // the largest belongs to the last cell
  CHECK(found.mean == doctest::Approx(11.9 / 6));
  CHECK(found.bad == 0);
  const Histogram two = Histogram::of(from({-1, 3}, {2}), 2);
  CHECK(two.deviation == doctest::Approx(2));
  CHECK(Histogram::of(to(from({-1, 3}, {2}), Dtype::bf16), 2).counts == two.counts);
}

TEST_CASE("what is not finite is counted apart, and a histogram of equal or no values has one cell or none") {
  const float infinity = std::numeric_limits<float>::infinity();
  const Histogram some = Histogram::of(from({1, infinity, 2, NAN, -infinity}, {5}), 2);
  CHECK(some.bad == 3);
  CHECK(some.counts == std::vector<std::int64_t>{1, 1});
  CHECK(some.mean == 1.5);
  const Histogram equal = Histogram::of(full({5}, 0.25f), 3);
  CHECK(equal.counts == std::vector<std::int64_t>{5, 0, 0});
  CHECK(equal.deviation == 0);
  const Histogram none = Histogram::of(full({2}, infinity), 3);
  CHECK(none.counts == std::vector<std::int64_t>{0, 0, 0});
  CHECK(none.low == 0);
  CHECK_THROWS_WITH_AS(Histogram::of(zeros({2}, Dtype::i64)), "Histogram: got i64, expected f32 or bf16", ValueError);
  CHECK_THROWS_AS(Histogram::of(zeros({2}), 0), ValueError);
}
