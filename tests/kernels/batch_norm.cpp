#include "framework/kernels/batch_norm.hpp"

#include <cstring>
#include <tuple>

#include "onednn_reference.hpp"
#include "tests/larger.hpp"

using namespace reference;
using temper::kernels::BatchNorm;

namespace {

/// Largest difference, relative to the largest expected value.
double difference(const Floats& values, const std::vector<double>& expected) {
  double largest = 1e-3, worst = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    largest = temper_test::larger(largest, std::abs(expected[i]));
    worst = std::max(worst, std::isnan(values[i]) ? 1e30 : std::abs(values[i] - expected[i]));
  }
  return worst / largest;
}

void check(const BatchNorm& s, bool own, Random& random) {
  const auto c = static_cast<std::size_t>(s.channels), rows = static_cast<std::size_t>(s.rows);
  const double count = static_cast<double>(rows);
  Floats x = random.floats(static_cast<Index>(rows * c)), dy = random.floats(static_cast<Index>(rows * c));
  for (float& value : x) value += 0.5f;
  const Floats gain = random.floats(s.channels), bias = random.floats(s.channels);
  Floats mean = random.floats(s.channels), variance = random.floats(s.channels);
  for (float& value : variance) value = std::abs(value) + 0.1f;

  std::vector<double> m(mean.begin(), mean.end()), v(variance.begin(), variance.end());
  if (own) {
    m.assign(c, 0);
    v.assign(c, 0);
    for (std::size_t i = 0; i < rows * c; ++i) m[i % c] += x[i] / count;
    for (std::size_t i = 0; i < rows * c; ++i) v[i % c] += (x[i] - m[i % c]) * (x[i] - m[i % c]) / count;
  }
  std::vector<double> y(rows * c), dx(rows * c), dgain(c), dbias(c);
  const auto normal = [&](std::size_t i) { return (x[i] - m[i % c]) / std::sqrt(v[i % c] + s.epsilon); };
  for (std::size_t i = 0; i < rows * c; ++i) {
    y[i] = normal(i) * gain[i % c] + bias[i % c];
    dgain[i % c] += dy[i] * normal(i);
    dbias[i % c] += dy[i];
  }
  for (std::size_t i = 0; i < rows * c; ++i) {
    const std::size_t k = i % c;
    const double from_statistics = own ? (dbias[k] + normal(i) * dgain[k]) / count : 0;
    dx[i] = gain[k] / std::sqrt(v[k] + s.epsilon) * (dy[i] - from_statistics);
  }

  Floats inverse(c);
  temper::kernels::inverse_deviations(s, variance.data(), inverse.data());
  Floats got_y(x.size(), NAN), got_dx(x.size(), NAN), got_dgain(c, NAN), got_dbias(c, NAN);
  if (own) temper::kernels::batch_norm_statistics(s, x.data(), mean.data(), variance.data(), inverse.data());
  temper::kernels::batch_norm(s, x.data(), gain.data(), bias.data(), mean.data(), inverse.data(), nullptr, false,
                              got_y.data());
  temper::kernels::batch_norm_backward(s, {x.data(), gain.data(), mean.data(), inverse.data(), nullptr, own}, dy.data(),
                                       got_dx.data(), got_dgain.data(), got_dbias.data(), nullptr);
  CAPTURE(s.channels);
  CAPTURE(rows);
  CAPTURE(own);
  CHECK(difference(mean, m) <= 5e-6);
  CHECK(difference(variance, v) <= 5e-6);
  CHECK(difference(got_y, y) <= 5e-6);
  CHECK(difference(got_dx, dx) <= 5e-6);
  CHECK(difference(got_dgain, dgain) <= 5e-6);
  CHECK(difference(got_dbias, dbias) <= 5e-6);
}

}  // namespace

TEST_CASE("batch normalization agrees with double loops, with its own statistics and with given ones") {
  Random random(31);
  for (const bool own : {true, false}) {
    for (const Index channels : {1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64}) {
      check({.rows = 60, .channels = channels}, own, random);
      check({.rows = 3, .channels = channels, .epsilon = 1e-3f}, own, random);
    }
    check({.rows = 3136, .channels = 32}, own, random);
  }
  const Threads threads(2);
  check({.rows = 3136, .channels = 24}, true, random);
}

TEST_CASE("the variance of numbers far from zero is that of what they differ by") {
  const BatchNorm s{.rows = 5000, .channels = 2};
  Floats x(10000);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = 10000.0f + static_cast<float>(i / 2 % 2);
  Floats mean(2), variance(2), inverse(2);
  temper::kernels::batch_norm_statistics(s, x.data(), mean.data(), variance.data(), inverse.data());
  CHECK(variance[0] == doctest::Approx(0.25).epsilon(1e-3));
  CHECK(variance[1] == doctest::Approx(0.25).epsilon(1e-3));
}

TEST_CASE("batch normalization has the same bits for any number of threads, and NaN stays in its channel") {
  const BatchNorm s{.rows = 3001, .channels = 19};
  Random random(32);
  Floats x = random.floats(s.rows * s.channels);
  const Floats dy = random.floats(s.rows * s.channels), residual = random.floats(s.rows * s.channels);
  const Floats gain = random.floats(s.channels), bias = random.floats(s.channels);
  x[7 * 19 + 4] = NAN;
  std::vector<Floats> results[2];
  for (const int count : {1, 2}) {
    const Threads threads(count);
    Floats mean(19), variance(19), inverse(19), y(x.size()), dx(x.size()), dgain(19), dbias(19), dresidual(x.size());
    temper::kernels::batch_norm_statistics(s, x.data(), mean.data(), variance.data(), inverse.data());
    temper::kernels::batch_norm(s, x.data(), gain.data(), bias.data(), mean.data(), inverse.data(), residual.data(),
                                true, y.data());
    temper::kernels::batch_norm_backward(s, {x.data(), gain.data(), mean.data(), inverse.data(), y.data(), true},
                                         dy.data(), dx.data(), dgain.data(), dbias.data(), dresidual.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
      REQUIRE(std::isnan(y[i]) == (i % 19 == 4));
      REQUIRE(std::isnan(dx[i]) == (i % 19 == 4));
    }
    results[count - 1] = {mean, variance, y, dx, dgain, dbias, dresidual};
  }
  for (std::size_t i = 0; i < results[0].size(); ++i) {
    const auto& [one, two] = std::tie(results[0][i], results[1][i]);
    CHECK(std::memcmp(one.data(), two.data(), one.size() * sizeof(float)) == 0);
  }
}
