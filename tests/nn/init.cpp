// Initial values: their bounds and moments, held against the formulas.

#include <temper/nn/init.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/core/random.hpp>

using namespace temper;

namespace {

struct Moments {
  double mean = 0, deviation = 0, largest = 0;
};

Moments moments(const Tensor& x) {
  Moments result;
  double squares = 0;
  for (const float value : x.values<float>()) {
    result.mean += static_cast<double>(value);
    squares += static_cast<double>(value) * static_cast<double>(value);
    result.largest = std::max(result.largest, std::fabs(static_cast<double>(value)));
  }
  const auto count = static_cast<double>(x.numel());
  result.mean /= count;
  result.deviation = std::sqrt(squares / count - result.mean * result.mean);
  return result;
}

/// Of 120,000 numbers: a mean within 5 standard errors of 0, a deviation within 1.5 %.
void check_moments(const Tensor& x, double deviation) {
  const Moments found = moments(x);
  CHECK(std::fabs(found.mean) < 5 * deviation / std::sqrt(static_cast<double>(x.numel())));
  CHECK(found.deviation == doctest::Approx(deviation).epsilon(0.015));
}

void check_uniform(const Tensor& x, double bound) {
  check_moments(x, bound / std::sqrt(3.0));
  const double largest = moments(x).largest;
  CHECK(largest <= bound * (1 + 1e-6));
  CHECK(largest > 0.999 * bound);
}

const Shape linear = {300, 400}, kernel = {40, 30, 10, 10};  // 120,000 numbers each

}  // namespace

TEST_CASE("fans count the taps of a kernel") {
  CHECK(nn::fans_of(linear).in == 400);
  CHECK(nn::fans_of(linear).out == 300);
  CHECK(nn::fans_of(kernel).in == 3000);
  CHECK(nn::fans_of(kernel).out == 4000);
}

TEST_CASE("Xavier's and Kaiming's weights have the spread of their formulas") {
  manual_seed(5);
  check_uniform(nn::fan_in_uniform(linear, 400), 1 / std::sqrt(400.0));
  check_uniform(nn::xavier_uniform(linear), std::sqrt(6.0 / 700));
  check_uniform(nn::xavier_uniform(kernel, 2.0), 2 * std::sqrt(6.0 / 7000));
  check_moments(nn::xavier_normal(kernel), std::sqrt(2.0 / 7000));
  check_uniform(nn::kaiming_uniform(linear), std::sqrt(6.0 / 400));
  check_uniform(nn::kaiming_uniform(linear, nn::Gain::linear), std::sqrt(3.0 / 400));
  check_moments(nn::kaiming_normal(kernel), std::sqrt(2.0 / 3000));
  check_moments(nn::kaiming_normal(linear, nn::Gain::tanh), 5.0 / 3.0 / std::sqrt(400.0));
}

TEST_CASE("a truncated normal stays within its bounds, which are values") {
  manual_seed(5);
  const Tensor x = nn::truncated_normal(linear, {.mean = 0.0f, .deviation = 1.0f, .low = -1.0f, .high = 1.0f});
  // The deviation of a standard normal between -1 and 1: sqrt(1 - 2 phi(1) / (2 Phi(1) - 1)).
  check_moments(x, 0.539560);
  CHECK(moments(x).largest <= 1.0);
  check_moments(nn::truncated_normal(linear, {.deviation = 0.02f}), 0.02);  // bounds of -2 and 2 cut nothing off
}

TEST_CASE("an orthogonal weight has perpendicular rows, or columns when there are fewer, of length gain") {
  manual_seed(5);
  for (const Shape& shape : {Shape{5, 8}, Shape{8, 5}, Shape{6, 6}, Shape{4, 3, 2, 2}}) {
    CAPTURE(shape[0]);
    const Tensor w = nn::orthogonal(shape, 1.5);
    const std::int64_t rows = shape[0], columns = w.numel() / rows;
    const auto at = [&](std::int64_t i, std::int64_t k) {  // element k of vector i
      return static_cast<double>(
          w.values<float>()[static_cast<std::size_t>(rows <= columns ? i * columns + k : k * columns + i)]);
    };
    const std::int64_t count = std::min(rows, columns), length = std::max(rows, columns);
    for (std::int64_t i = 0; i < count; ++i) {
      for (std::int64_t j = 0; j <= i; ++j) {
        double product = 0;
        for (std::int64_t k = 0; k < length; ++k) product += at(i, k) * at(j, k);
        CHECK(product == doctest::Approx(i == j ? 2.25 : 0.0).epsilon(1e-6));
      }
    }
  }
}

TEST_CASE("initial values refuse what has no fan-in, and bounds that nothing lies between") {
  CHECK_THROWS_WITH_AS(nn::kaiming_normal({4}), "fans_of: [4], expected a weight [out, in, ...]", ValueError);
  CHECK_THROWS_WITH_AS(nn::fan_in_uniform({4, 4}, 0), "fan_in_uniform: fan_in is 0, expected at least 1", ValueError);
  CHECK_THROWS_WITH_AS(nn::truncated_normal({4}, {.low = 1.0f, .high = 1.0f}),
                       doctest::Contains("expected a deviation above 0 and bounds"), ValueError);
  CHECK_THROWS_AS(nn::truncated_normal({4}, {.deviation = 0.0f}), ValueError);
}
