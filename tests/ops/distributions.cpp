#include <temper/autograd/distributions.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/reduce.hpp>
#include <temper/autograd/ops/statistics.hpp>
#include <temper/autograd/ops/weight_norm.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>
#include <temper/core/random.hpp>

#include "tests/ops/op_test.hpp"
#include "tests/reference/losses.hpp"

namespace temper::test {

using namespace distributions;

namespace {

std::vector<OpTest> normal_ops() {
  const std::vector<ErrorCase> parameters = {
      throws<ValueError>("Normal: deviation [1] has 0, expected above 0",
                         [] { return Normal(ones({1}), zeros({1})).entropy(); }),
      throws<ShapeError>("Normal: shapes [2] and [3] do not broadcast",
                         [] { return Normal(ones({2}), ones({3})).entropy(); }),
  };
  return {
      {"normal_log_prob", [](const Tensors& x, const Attributes&) { return Normal(x[1], x[2]).log_prob(x[0]); },
       reference::normal_log_prob, parameters},
      {"tanh_normal_log_prob",
       [](const Tensors& x, const Attributes&) { return TanhNormal(x[1], x[2]).log_prob(x[0]); },
       reference::tanh_normal_log_prob, parameters},
      {"normal_entropy", [](const Tensors& x, const Attributes&) { return Normal(x[0], x[1]).entropy(); },
       reference::normal_entropy, parameters},
      {"normal_kl",
       [](const Tensors& x, const Attributes&) { return kl_divergence(Normal(x[0], x[1]), Normal(x[2], x[3])); },
       reference::normal_kl, parameters},
  };
}

std::vector<OpTest> choice_ops() {
  const std::vector<ErrorCase> of_classes = {
      throws<ShapeError>("Categorical: logits [], expected [..., classes]",
                         [] { return Categorical(scalar(1)).entropy(); }),
      throws<ValueError>("Categorical::log_prob: class 3 is outside the 3 classes",
                         [] { return Categorical(ones({3})).log_prob(indices({3})); }),
  };
  const std::vector<ErrorCase> of_odds = {
      throws<ShapeError>("Bernoulli: logits [2] is i64, expected f32", [] { return Bernoulli(arange(2)).entropy(); }),
      throws<ShapeError>("Bernoulli::log_prob: shapes [3] and [2] do not broadcast",
                         [] { return Bernoulli(ones({2})).log_prob(ones({3})); }),
  };
  return {
      {"categorical_log_prob", [](const Tensors& x, const Attributes&) { return Categorical(x[0]).log_prob(x[1]); },
       reference::categorical_log_prob, of_classes},
      {"categorical_entropy", [](const Tensors& x, const Attributes&) { return Categorical(x[0]).entropy(); },
       reference::categorical_entropy, of_classes},
      {"categorical_kl",
       [](const Tensors& x, const Attributes&) { return kl_divergence(Categorical(x[0]), Categorical(x[1])); },
       reference::categorical_kl, of_classes},
      {"bernoulli_log_prob", [](const Tensors& x, const Attributes&) { return Bernoulli(x[0]).log_prob(x[1]); },
       reference::bernoulli_log_prob, of_odds},
      {"bernoulli_entropy", [](const Tensors& x, const Attributes&) { return Bernoulli(x[0]).entropy(); },
       reference::bernoulli_entropy, of_odds},
      {"bernoulli_kl",
       [](const Tensors& x, const Attributes&) { return kl_divergence(Bernoulli(x[0]), Bernoulli(x[1])); },
       reference::bernoulli_kl, of_odds},
  };
}

std::vector<OpTest> weight_ops() {
  return {
      {"weight_norm",
       [](const Tensors& x, const Attributes& a) { return weight_norm(x[0], x[1], a["axis"]); },
       reference::weight_norm,
       {throws<ShapeError>("weight_norm: g [2], v [2, 3] expects [2, 1]",
                           [] {
                             return weight_norm(ones({2, 3}), ones({2}));
                           }),
        throws<ShapeError>("weight_norm: axis 2 of v [2, 3], which has 2 axes",
                           [] {
                             return weight_norm(ones({2, 3}), ones({2, 1}), 2);
                           })}},
      {"spectral_norm",
       [](const Tensors& x, const Attributes&) { return spectral_norm(x[0], x[1], x[2], {.iterations = 0}); },
       reference::spectral_norm,
       {throws<ShapeError>("spectral_norm: u [3] and v [3], weight [2, 3] expects [2] and [3]",
                           [] {
                             return spectral_norm(ones({2, 3}), ones({3}), ones({3}));
                           }),
        throws<ValueError>("spectral_norm: -1 iterations and eps 1e-12, expected at least 0, and above 0",
                           [] {
                             return spectral_norm(ones({2, 3}), ones({2}), ones({3}), {.iterations = -1});
                           })}},
  };
}

double mean_of(const Tensor& x) { return mean(x).item(); }

}  // namespace

std::vector<OpTest> distribution_ops() {
  std::vector<OpTest> all;
  for (auto* family : {normal_ops, choice_ops, weight_ops}) {
    for (OpTest& test : family()) all.push_back(std::move(test));
  }
  return all;
}

TEST_CASE("normal distributions") { check(normal_ops()); }
TEST_CASE("distributions of choices") { check(choice_ops()); }
TEST_CASE("weights that are normalized") { check(weight_ops()); }

TEST_CASE("samples have the distribution's moments, and the generator's seed decides about them") {
  manual_seed(7);
  const Normal normal(from({-1, 2}, {2}), from({0.5f, 3}, {2}));
  const Tensor x = normal.sample({20000});
  CHECK(x.shape() == Shape{20000, 2});
  const Tensor means = mean(x, 0), deviations = temper::std(x, 0);
  CHECK(means.data<float>()[0] == doctest::Approx(-1.0).epsilon(0.02));
  CHECK(means.data<float>()[1] == doctest::Approx(2.0).epsilon(0.05));
  CHECK(deviations.data<float>()[1] == doctest::Approx(3.0).epsilon(0.03));

  const Tensor logits = from({0, std::log(2.0f), std::log(5.0f)}, {3});
  std::vector<double> counts(3);
  for (const std::int64_t choice : Categorical(logits).sample({16000}).values<std::int64_t>()) {
    counts[static_cast<std::size_t>(choice)] += 1.0 / 16000;
  }
  CHECK(counts[0] == doctest::Approx(0.125).epsilon(0.1));
  CHECK(counts[1] == doctest::Approx(0.25).epsilon(0.05));
  CHECK(counts[2] == doctest::Approx(0.625).epsilon(0.03));

  CHECK(mean_of(Bernoulli(scalar(std::log(3.0f))).sample({16000})) == doctest::Approx(0.75).epsilon(0.02));
  const auto twice = [] {
    manual_seed(8);
    return TanhNormal(zeros({5}), ones({5})).sample({3});
  };
  CHECK(std::ranges::equal(twice().values<float>(), twice().values<float>()));
}

TEST_CASE("gradients lead through rsample and through no sample") {
  const Tensor location = zeros({3}), deviation = ones({3});
  Tape tape;
  tape.watch(location);
  tape.watch(deviation);
  const Normal normal(location, deviation);
  const Tensor noise = stop_gradient(normal.sample()), drawn = normal.rsample();
  const Drawn action = TanhNormal(location, deviation).rsample_with_log_prob();
  CHECK(action.value.shape() == Shape{3});
  tape.backward(sum(drawn) + 0 * sum(noise));
  CHECK(std::ranges::equal(tape.gradient(location).values<float>(), std::vector<float>{1, 1, 1}));
  // x = mean + deviation * noise, so with mean 0 and deviation 1 the noise is x.
  CHECK(std::ranges::equal(tape.gradient(deviation).values<float>(), drawn.values<float>()));
}

TEST_CASE("log_prob of an action is that of its value, and exact where tanh is 1") {
  manual_seed(9);
  const TanhNormal distribution(from({0.2f, -0.4f}, {2}), from({0.5f, 0.3f}, {2}));
  const Drawn drawn = distribution.rsample_with_log_prob();
  const Tensor again = distribution.log_prob(drawn.value);
  for (int i = 0; i < 2; ++i) CHECK(drawn.log_prob.data<float>()[i] == doctest::Approx(again.data<float>()[i]).epsilon(1e-4));
  const Drawn far = TanhNormal(full({1}, 30.0f), ones({1})).rsample_with_log_prob();
  CHECK(far.value.item() == 1.0);
  CHECK(std::isfinite(far.log_prob.item()));
}

TEST_CASE("gumbel_softmax: probabilities, or a choice with their gradient") {
  manual_seed(10);
  const Tensor logits = normal({50, 4});
  Tape tape;
  tape.watch(logits);
  const Tensor soft = gumbel_softmax(logits, {.tau = 0.5f}), hard = gumbel_softmax(logits, {.hard = true});
  for (const float total : sum(soft, 1).values<float>()) CHECK(total == doctest::Approx(1.0));
  for (const float value : hard.values<float>()) CHECK(std::abs(std::round(value) - value) < 1e-6f);
  for (const float total : sum(hard, 1).values<float>()) CHECK(total == doctest::Approx(1.0));
  tape.backward(sum(hard * normal({50, 4})));
  CHECK(std::ranges::any_of(tape.gradient(logits).values<float>(), [](float slope) { return slope != 0; }));
  CHECK_THROWS_WITH_AS(gumbel_softmax(logits, {.tau = 0}), "gumbel_softmax: tau 0, expected above 0", ValueError);
}

TEST_CASE("spectral_norm finds the largest singular value in training, and changes nothing otherwise") {
  manual_seed(11);
  // diag(3, 1, 0.5): the largest singular value is 3.
  const Tensor weight = from({3, 0, 0, 0, 1, 0, 0, 0, 0.5f}, {3, 3});
  const Tensor start = full({3}, 0.5f);
  Tensor u = start.clone(), v = start.clone();
  spectral_norm(weight, u, v, {.iterations = 30});
  CHECK(std::ranges::equal(u.values<float>(), start.values<float>()));
  const NoTape training(Mode::train);
  const Tensor y = spectral_norm(weight, u, v, {.iterations = 30});
  CHECK(y.data<float>()[0] == doctest::Approx(1.0));
  CHECK(u.data<float>()[0] == doctest::Approx(1.0));
}

}  // namespace temper::test
