#include <temper/data/windows.hpp>

#include <doctest/doctest.h>

#include <vector>

#include <temper/core/errors.hpp>
#include <temper/data/loader.hpp>
#include <temper/data/subset.hpp>

#include "tests/data/golden.hpp"

using namespace temper;
using temper_test::golden_data;

namespace {

std::vector<double> doubles(const Tensor& tensor) {
  return {tensor.values<float>().begin(), tensor.values<float>().end()};
}

}  // namespace

TEST_CASE("windows: NumPy's sliding windows") {
  const auto& recorded = golden_data()["windows"];
  std::vector<float> values;
  for (const auto& row : recorded["series"]) values.insert(values.end(), row.begin(), row.end());
  const Tensor series = from(values, {17, 3});
  for (const auto& expected : recorded["cases"]) {
    const data::Windows windows(series, {.lookback = expected["lookback"],
                                         .horizon = expected["horizon"],
                                         .stride = expected["stride"],
                                         .gap = expected["gap"],
                                         .targets = expected["targets"]});
    REQUIRE(windows.size() == expected["count"].get<std::int64_t>());
    data::Loader loader(windows, {.batch_size = windows.size()});
    for (const auto& [past, future] : loader) {
      CHECK(doubles(past) == expected["past"].get<std::vector<double>>());
      CHECK(doubles(future) == expected["future"].get<std::vector<double>>());
    }
  }
}

TEST_CASE("windows: one channel, several series, the end of a series with what comes before it") {
  const Tensor series = from({0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {10});
  const data::Windows windows(series, {.lookback = 3, .gap = 1});
  CHECK(windows.size() == 6);
  const auto [past, future] = windows.get(5);
  CHECK(past.shape() == Shape{3, 1});
  CHECK(doubles(past) == std::vector<double>{5, 6, 7});
  CHECK(doubles(future) == std::vector<double>{9});
  CHECK(windows.begin_of_future(5) == 9);
  const data::Concat both(data::Windows(series.rows(0, 5), {.lookback = 3}),
                          data::Windows(series.rows(5, 10), {.lookback = 3}));
  CHECK(both.size() == 4);
  CHECK(doubles(std::get<0>(both.get(2))) == std::vector<double>{5, 6, 7});
  const data::Windows last(series.rows(7 - 3 - 1, 10), {.lookback = 3, .gap = 1});  // predicts steps 7, 8, 9
  CHECK(last.size() == 3);
  CHECK(doubles(std::get<1>(last.get(0))) == std::vector<double>{7});
}

TEST_CASE("windows: what cannot be") {
  const Tensor series = zeros({10, 2});
  CHECK_THROWS_WITH_AS(data::Windows(series, {.lookback = 8, .horizon = 2, .gap = 1}),
                       "Windows: a series of 10 steps, a window takes 8 + 1 + 2", ValueError);
  CHECK(data::Windows(series, {.lookback = 8, .horizon = 2}).size() == 1);
  CHECK_THROWS_AS(
      data::Windows(series, {.lookback = std::int64_t{1} << 62, .horizon = std::int64_t{1} << 62, .gap = 0}),
      ValueError);
  CHECK_THROWS_WITH_AS(data::Windows(series, {.lookback = 0}),
                       "Windows: lookback 0, horizon 1, stride 1, gap 0, expected at least 1, 1, 1 and 0", ValueError);
  CHECK_THROWS_WITH_AS(data::Windows(series, {.lookback = 1, .targets = {2}}), "Windows: target 2 of 2 channels",
                       ValueError);
  CHECK_THROWS_WITH_AS(data::Windows(arange(3), {.lookback = 1}),
                       "Windows: a series i64 [3], expected f32 [steps] or [steps, channels]", ShapeError);
  CHECK_THROWS_WITH_AS(data::Windows(series, {.lookback = 1}).get(9), "Windows: example 9 of 9", ValueError);
}
