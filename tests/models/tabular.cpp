#include <doctest/doctest.h>

#include <cmath>
#include <set>
#include <string>
#include <vector>

#include <temper/models/tabular/numeric_embedding.hpp>
#include <temper/models/tabular/tabular.hpp>
#include <temper/temper.hpp>

#include "tests/data/files.hpp"
#include "tests/models/directional.hpp"

using namespace temper;
using models::EnsembleLinear;
using models::NumericEmbedding;
using models::PeriodicEmbedding;
using models::PiecewiseLinearEmbedding;
using models::Tabular;
using models::TabularConfig;
using temper_test::error_of;

namespace {

std::vector<float> numbers_of(const Tensor& x) { return {x.values<float>().begin(), x.values<float>().end()}; }

void set(const Parameter& parameter, std::initializer_list<float> values) {
  Tensor(parameter.value()).copy_from(from(values, parameter.shape()));
}

double distance(const Tensor& a, const Tensor& b) { return max(abs(a - b)).item(); }

TabularConfig small(NumericEmbedding embedding, std::int64_t members, std::int64_t outputs) {
  return {.numbers = 3,
          .categories = {4, 2},
          .outputs = outputs,
          .embedding = embedding,
          .embedding_width = 5,
          .bins = 6,
          .frequencies = 4,
          .frequency_deviation = 0.2,
          .members = members,
          .blocks = 2,
          .width = 12,
          .dropout = 0};
}

Tensor some_categories() { return from(std::vector<std::int64_t>{0, 1, 3, 0, 2, 1, 1, 1}, {4, 2}); }

}  // namespace

TEST_CASE("the piecewise linear encoding is 1 below, a fraction within, 0 above, and goes on at both ends") {
  PiecewiseLinearEmbedding layer(2, 3, 4);
  // Quantiles of the first feature: 0, 1, 3, 7. The second has two different numbers, so its edges are 5 and 6, one
  // bin.
  layer.fit(from({0, 5, 1, 5, 3, 5, 7, 6}, {4, 2}));
  const Tensor places = layer.encode(from({0, 5, 2, 5.5, 5, 6, -2, 4, 9, 8}, {5, 2}));
  REQUIRE(places.shape() == Shape{5, 2, 3});
  const std::vector<float> first = numbers_of(slice(places, 1, 0, 1));
  CHECK(first == std::vector<float>{0, 0, 0, 1, 0.5, 0, 1, 1, 0.5, -2, 0, 0, 1, 1, 1.5});
  const std::vector<float> second = numbers_of(slice(places, 1, 1, 2));
  CHECK(second[0] == 0);
  CHECK(second[3] == 0.5);
  CHECK(second[6] == 1);
  CHECK(second[9] == -1);
  CHECK(second[12] == 3);

  // A constant feature has no bins, and only its linear layer is left.
  PiecewiseLinearEmbedding constant(1, 3, 1);
  constant.fit(from({2, 2, 2}, {3, 1}));
  CHECK(numbers_of(constant.encode(from({2, 5}, {2, 1}))) == std::vector<float>(6, 0.0f));
  CHECK(error_of([&] {
          constant.encode(zeros({2, 3}));
        }) == "PiecewiseLinearEmbedding: numbers [2, 3], expected [N, 1]");
  CHECK(error_of([&] {
          constant.fit(zeros({0, 1}));
        }) == "PiecewiseLinearEmbedding::fit: no rows to take quantiles of");
}

TEST_CASE("edges are quantiles with linear interpolation") {
  PiecewiseLinearEmbedding layer(1, 2, 1);
  layer.fit(from({4, 0, 2, 10}, {4, 1}));  // the median of 0, 2, 4, 10 is 3
  CHECK(numbers_of(layer.encode(from({3}, {1, 1}))) == std::vector<float>{1, 0});
  CHECK(numbers_of(layer.encode(from({6.5}, {1, 1}))) == std::vector<float>{1, 0.5});
}

TEST_CASE("an embedding of a number adds its places' vectors to a linear layer of its own") {
  PiecewiseLinearEmbedding layer(1, 2, 2);
  layer.fit(from({0, 1, 2}, {3, 1}));
  set(layer.linear_weight, {1, 10});
  set(layer.bias, {0.5, 0.25});
  CHECK(numbers_of(layer(from({3}, {1, 1}))) == std::vector<float>{3.5, 30.25});  // the bins' weights begin at 0
  set(layer.weight, {1, 2, 100, 200});
  CHECK(numbers_of(layer(from({1.5}, {1, 1}))) == std::vector<float>{1.5 + 0.5 + 1 + 50, 15 + 0.25 + 2 + 100});

  PeriodicEmbedding periodic(1, 1, 2, 0.1);
  set(periodic.frequency, {0.25});
  set(periodic.weight, {2, 0, 0, 3});  // cos to the first, sin to the second
  set(periodic.bias, {0.5, -1});
  const std::vector<float> at_third = numbers_of(periodic(from({1.0 / 3}, {1, 1})));
  CHECK(at_third[0] == doctest::Approx(2 * std::cos(M_PI / 6) + 0.5));
  CHECK(at_third[1] == doctest::Approx(3 * std::sin(M_PI / 6) - 1));
  CHECK(numbers_of(periodic(from({-1}, {1, 1})))[1] == 0);  // ReLU
}

TEST_CASE("an ensemble's linear layer scales its input and output for each member") {
  EnsembleLinear layer(2, 1, 2);
  set(layer.weight, {3, 5});
  CHECK(layer.bias.value().values<float>()[0] == layer.bias.value().values<float>()[1]);
  set(layer.bias, {0, 0.5});
  CHECK(numbers_of(layer(from({1, 2}, {1, 1, 2}))) == std::vector<float>{13, 13.5});
  set(layer.r, {1, 0, 0, -1});
  set(layer.s, {10, 2});
  CHECK(numbers_of(layer(from({1, 2}, {1, 1, 2}))) == std::vector<float>{30, -19.5});
  CHECK(numbers_of(layer(from({1, 2, 3, 4}, {1, 2, 2}))) == std::vector<float>{30, -39.5});
  CHECK(!EnsembleLinear(2, 1, 1).r.defined());
}

TEST_CASE("a network for tables has the gradients that differences show, with each embedding") {
  for (const NumericEmbedding embedding :
       {NumericEmbedding::none, NumericEmbedding::piecewise, NumericEmbedding::periodic}) {
    for (const std::int64_t members : {1, 3}) {
      CAPTURE(static_cast<int>(embedding));
      CAPTURE(members);
      manual_seed(4);
      Tabular model(small(embedding, members, 3));
      const Tensor numbers = normal({60, 3});
      model.fit(numbers);
      // Weights that begin at zero would hide mistakes.
      for (const Parameter& p : model.parameters()) {
        if (p.name() == "numeric.weight") Tensor(p.value()).copy_from(normal(p.shape(), 0.0f, 0.3f));
      }
      const Tensor categories = tile(some_categories(), {15, 1});
      test::check_directional(model.parameters(), [&] { return logsumexp(model(numbers, categories), -1); },
                              {.gate = 3e-4});
    }
  }
}

TEST_CASE("members differ from the start, and predictions are their mean") {
  manual_seed(2);
  const Tensor numbers = normal({4, 3});
  Tabular model(small(NumericEmbedding::piecewise, 8, 3));
  model.fit(numbers);
  const Tensor outputs = model(numbers, some_categories());
  REQUIRE(outputs.shape() == Shape{4, 8, 3});
  CHECK(distance(slice(outputs, 1, 0, 1), slice(outputs, 1, 1, 2)) > 0.01);
  CHECK(distance(model.predict(numbers, some_categories()), mean(softmax(outputs), 1)) == 0);

  const Tabular regression(small(NumericEmbedding::none, 8, 1));
  const Tensor values = regression(numbers, some_categories());
  CHECK(regression.predict(numbers, some_categories()).shape() == Shape{4});
  const Tensor target = normal({4});
  double expected = 0;
  for (std::int64_t i = 0; i < 32; ++i) {
    expected += std::pow(values.data<float>()[i] - target.data<float>()[i / 8], 2) / 32;
  }
  CHECK(regression.loss(values, target).item() == doctest::Approx(expected));

  // The first scaling: signs, and with embeddings one normal number for all of a feature's embedding.
  const auto scaling = [](const Tabular& of) {
    for (const Parameter& p : of.parameters()) {
      if (p.name() == "blocks.0.r") return p.value();
    }
    FAIL("no scaling");
    return Tensor();
  };
  const std::vector<float> signs = numbers_of(scaling(regression));
  CHECK(std::set<float>(signs.begin(), signs.begin() + 3).size() <= 2);
  for (const float sign : signs) CHECK(std::abs(sign) == 1);
  const Tensor r = scaling(model);
  REQUIRE(r.shape() == Shape{8, 25});
  for (std::int64_t i = 0; i < r.numel(); ++i) CHECK(r.data<float>()[i] == r.data<float>()[i - i % 25 % 5]);
  CHECK(r.data<float>()[0] != r.data<float>()[5]);
}

TEST_CASE("each category has its own vector, and one outside its column is refused") {
  manual_seed(3);
  const Tabular model(small(NumericEmbedding::none, 1, 1));
  const Tensor numbers = zeros({4, 3});
  std::set<float> different;
  for (const float value : numbers_of(model(numbers, some_categories()))) different.insert(value);
  CHECK(different.size() == 4);
  CHECK(error_of([&] {
          model(numbers, from(std::vector<std::int64_t>{0, 1, 0, 1, 0, 2, 0, 0}, {4, 2}));
        }) == "Tabular: category 2 in column 1, expected 0 to 1");
  CHECK(error_of([&] {
          model(zeros({4, 2}), some_categories());
        }) == "Tabular: numbers [4, 2] and categories [4, 2], expected [N, 3] and [N, 2]");
  CHECK(error_of([] { Tabular({.numbers = 0}); }) == "Tabular: no columns of numbers or categories, expected some");
  CHECK(error_of([] { Tabular({.numbers = 1, .members = 0}); }) == "Tabular: members is 0, expected at least 1");
}

TEST_CASE("tables of numbers alone and of categories alone work") {
  const Tabular numbers({.numbers = 2, .outputs = 2, .members = 2, .width = 4});
  CHECK(numbers(zeros({3, 2}), zeros({3, 0}, Dtype::i64)).shape() == Shape{3, 2, 2});
  const Tabular categories({.categories = {3}, .outputs = 2, .members = 2, .width = 4});
  CHECK(categories(zeros({3, 0}), zeros({3, 1}, Dtype::i64)).shape() == Shape{3, 2, 2});
}
