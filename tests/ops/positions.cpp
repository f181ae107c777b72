// Positions as constants: against the formulas, and values of the code that the weights of such models come from.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include <temper/autograd/ops/positions.hpp>
#include <temper/core/errors.hpp>

using namespace temper;

TEST_CASE("sines and cosines of positions, along one axis and along two") {
  const Tensor y = sinusoidal_positions(5, 6);
  REQUIRE(y.shape() == Shape{5, 6});
  for (std::int64_t p = 0; p < 5; ++p) {
    for (std::int64_t i = 0; i < 6; ++i) {
      const double angle = static_cast<double>(p) / std::pow(10000.0, static_cast<double>(i / 2 * 2) / 6);
      CHECK(y.data<float>()[p * 6 + i] == doctest::Approx(i % 2 == 0 ? std::sin(angle) : std::cos(angle)));
    }
  }
  const Tensor image = sinusoidal_positions({2, 3}, 8), line = sinusoidal_positions(3, 4);
  REQUIRE(image.shape() == Shape{2, 3, 8});
  for (std::int64_t row = 0; row < 2; ++row) {
    for (std::int64_t column = 0; column < 3; ++column) {
      const float* const at = image.data<float>() + (row * 3 + column) * 8;
      for (std::int64_t i = 0; i < 4; ++i) {
        CHECK(at[i] == line.data<float>()[row * 4 + i]);
        CHECK(at[4 + i] == line.data<float>()[column * 4 + i]);
      }
    }
  }
  CHECK(sinusoidal_positions(0, 4).numel() == 0);
  CHECK_THROWS_WITH_AS(sinusoidal_positions(3, 5), "sinusoidal_positions: 5 features, expected a multiple of 2",
                       ValueError);
  CHECK_THROWS_WITH_AS(sinusoidal_positions({2, 2}, 6), "sinusoidal_positions: 6 features, expected a multiple of 4",
                       ValueError);
  CHECK_THROWS_WITH_AS(sinusoidal_positions(3, 4, 0.0), "sinusoidal_positions: base 0, expected above 0", ValueError);
}

TEST_CASE("ALiBi's slopes and distances") {
  const Tensor y = alibi_bias(8, 2, 3);
  REQUIRE(y.shape() == Shape{8, 2, 3});
  // The queries stand at keys 1 and 2.
  for (std::int64_t head = 0; head < 8; ++head) {
    const double slope = std::exp2(-static_cast<double>(head + 1));
    const std::vector<double> distances = {1, 0, 1, 2, 1, 0};
    for (std::size_t i = 0; i < 6; ++i) {
      CHECK(y.data<float>()[head * 6 + static_cast<std::int64_t>(i)] == doctest::Approx(-slope * distances[i]));
    }
  }
  // Six heads: those of four, then every second one of eight.
  const Tensor six = alibi_bias(6, 1, 2);
  const std::vector<double> slopes = {0.25, 0.0625, 0.015625, 0.00390625, 0.5, 0.125};
  for (std::size_t head = 0; head < 6; ++head) {
    CHECK(six.data<float>()[2 * head] == doctest::Approx(-slopes[head]));
    CHECK(six.data<float>()[2 * head + 1] == 0.0f);
  }
  CHECK_THROWS_WITH_AS(alibi_bias(0, 2, 2), "alibi_bias: 0 heads, expected at least 1", ValueError);
  CHECK_THROWS_WITH_AS(alibi_bias(2, -1, 2), "alibi_bias: sizes -1 and 2, expected at least 0", ValueError);
}

TEST_CASE("buckets of distances are those of T5") {
  // Distance, and its bucket as Hugging Face's T5 computes it: of 32 in both directions, of 32 in one, of 8 up to 20.
  struct Row {
    std::int64_t distance, both, one, small;
  };
  const std::vector<Row> rows = {
      {-200, 15, 31, 3}, {-128, 15, 31, 3}, {-127, 15, 31, 3}, {-64, 14, 26, 3}, {-23, 11, 18, 3}, {-16, 10, 16, 3},
      {-15, 9, 15, 3},   {-9, 8, 9, 3},     {-8, 8, 8, 3},     {-7, 7, 7, 3},    {-1, 1, 1, 1},    {0, 0, 0, 0},
      {1, 17, 0, 5},     {7, 23, 0, 7},     {8, 24, 0, 7},     {9, 24, 0, 7},    {12, 25, 0, 7},   {16, 26, 0, 7},
      {32, 28, 0, 7},    {63, 29, 0, 7},    {64, 30, 0, 7},    {100, 31, 0, 7},  {128, 31, 0, 7},  {500, 31, 0, 7}};
  const Tensor both = relative_position_buckets(201, 501),
               one = relative_position_buckets(201, 501, {.bidirectional = false}),
               small = relative_position_buckets(201, 501, {.buckets = 8, .max_distance = 20});
  for (const Row& row : rows) {
    CAPTURE(row.distance);
    const std::int64_t query = std::max<std::int64_t>(0, -row.distance), at = query * 501 + query + row.distance;
    CHECK(both.data<std::int64_t>()[at] == row.both);
    CHECK(one.data<std::int64_t>()[at] == row.one);
    CHECK(small.data<std::int64_t>()[at] == row.small);
  }
  CHECK_THROWS_WITH_AS(relative_position_buckets(2, 2, {.buckets = 2}),
                       "relative_position_buckets: 2 buckets up to distance 128, expected at least 4 and more than 0",
                       ValueError);
}

TEST_CASE("the pairs of a window have Swin's rows of the table") {
  const Tensor y = window_position_index({2, 3});
  REQUIRE(y.shape() == Shape{6, 6});
  const auto at = [&y](std::int64_t a, std::int64_t b) { return y.data<std::int64_t>()[a * 6 + b]; };
  CHECK(at(0, 0) == 7);  // no distance: the middle of 3 x 5
  CHECK(at(0, 5) == 0);  // the place below at the right
  CHECK(at(5, 0) == 14);
  CHECK(at(1, 0) == 8);
  CHECK(at(3, 0) == 12);
  for (std::int64_t a = 0; a < 6; ++a) {
    for (std::int64_t b = 0; b < 6; ++b) CHECK(at(a, b) + at(b, a) == 14);
  }
  CHECK_THROWS_WITH_AS(window_position_index({0, 2}), "window_position_index: window 0 x 2, expected at least 1 x 1",
                       ValueError);
}
