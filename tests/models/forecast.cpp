#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include <temper/models/forecast/forecast.hpp>
#include <temper/temper.hpp>

#include "tests/data/files.hpp"
#include "tests/models/directional.hpp"

using namespace temper;
using models::Forecast;
using models::ForecastConfig;
using models::ForecastNetwork;
using models::TemporalBlock;
using temper_test::error_of;

namespace {

constexpr ForecastNetwork all_networks[] = {ForecastNetwork::lstm, ForecastNetwork::gru, ForecastNetwork::convolution};

ForecastConfig small(ForecastNetwork network) {
  return {.network = network, .lookback = 11, .horizon = 4, .width = 6, .kernel = 3};
}

double distance(const Tensor& a, const Tensor& b) { return max(abs(a - b)).item(); }

}  // namespace

TEST_CASE("a forecast has the gradients that differences show, and does not depend on the level of the series") {
  for (const ForecastNetwork network : all_networks) {
    CAPTURE(static_cast<int>(network));
    manual_seed(6);
    const Forecast model(small(network));
    const Tensor past = normal({40, 11, 1});
    REQUIRE(model(past).shape() == Shape{40, 4, 1});
    test::check_directional(model.parameters(), [&] { return square(model(past)); }, {.gate = 3e-4});
    CHECK(distance(model(past + 8), model(past) + 8) < 1e-5);
    CHECK(distance(model(past * 2), model(past) + slice(past, 1, -1, 11)) > 1e-3);
    CHECK(error_of([&] { model(zeros({2, 10, 1})); }) == "Forecast: past [2, 10, 1], expected [N, 11, 1]");
  }
  CHECK(error_of([] { Forecast({.kernel = 1}); }) == "Forecast: kernel is 1, expected at least 2");
}

TEST_CASE("every step of the past matters, also with as many convolutions as are made by default") {
  for (const ForecastNetwork network : all_networks) {
    for (const std::int64_t lookback : {5, 6, 11, 40}) {
      CAPTURE(static_cast<int>(network));
      CAPTURE(lookback);
      manual_seed(7);
      ForecastConfig config = small(network);
      config.lookback = lookback;
      const Forecast model(config);
      const Tensor past = normal({1, lookback, 1});
      Tape tape;
      tape.watch(past);
      tape.backward(sum(model(past)));
      for (const float slope : tape.gradient(past).values<float>()) CHECK(slope != 0);
      // 3 taps: one block sees 5 steps, two see 13, three 29, four 61.
      if (network == ForecastNetwork::convolution) {
        CHECK(model.config().layers == (lookback <= 5 ? 1 : lookback <= 13 ? 2 : 4));
      }
    }
  }
}

TEST_CASE("a temporal block sees no later step") {
  manual_seed(8);
  const TemporalBlock block(2, 3, 3, 2, 0.0);
  const Tensor x = normal({1, 12, 2});
  Tensor other = x.clone();
  other.mutable_data<float>()[2 * 7] += 1;  // step 7
  const Tensor change = block(other) - block(x);
  CHECK(max(abs(slice(change, 1, 0, 7))).item() == 0);
  CHECK(max(abs(slice(change, 1, 7, 12))).item() > 0);
}

TEST_CASE("the seasonal naive forecast repeats the last season, and its error is what MASE divides by") {
  const Tensor past = from({9, 1, 2, 3}, {1, 4, 1});
  const Tensor next = models::seasonal_naive(past, 5, 3);
  REQUIRE(next.shape() == Shape{1, 5, 1});
  CHECK(distance(next, from({1, 2, 3, 1, 2}, {1, 5, 1})) == 0);
  CHECK(error_of([&] { models::seasonal_naive(past, 5, 5); }) ==
        "seasonal_naive: a season of 5, expected 1 to the lookback, 4");

  const std::vector<float> series = {1, 5, 2, 3, 6};
  CHECK(models::seasonal_error(series, 2) == doctest::Approx((1 + 2 + 4) / 3.0));
  CHECK(models::seasonal_error(series, 1) == doctest::Approx((4 + 3 + 1 + 3) / 4.0));
  CHECK(error_of([&] { models::seasonal_error(series, 5); }) ==
        "seasonal_error: a season of 5 in a series of 5 steps, expected 1 to 4");
  const std::vector<float> flat(5, 2.0f);
  CHECK(error_of([&] { models::seasonal_error(flat, 1); }) ==
        "seasonal_error: the series repeats itself each season, or is not finite");
}
