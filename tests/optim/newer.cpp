// Optimizers compared with trajectories that tests/golden/record_newer.py recorded in float64 from current packages.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <temper/core/errors.hpp>
#include <temper/optim/optim.hpp>

#include "tests/larger.hpp"
#include "tests/optim/near_internal.hpp"

using namespace temper;
using namespace temper::optim;

namespace {

const nlohmann::json& recorded() {
  static const nlohmann::json all = nlohmann::json::parse(std::ifstream(TEMPER_TEST_DIR "/golden/optim_newer.json"));
  return all;
}

const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all = {{6, 4}, {3, 8}, {5}};
  return all;
}

std::vector<Parameter> parameters_at_first() {
  std::vector<Parameter> parameters;
  for (std::size_t i = 0; i < shapes().size(); ++i) {
    const Tensor value = from(recorded()["p0"][i].get<std::vector<float>>(), shapes()[i]);
    parameters.push_back(Parameter(value, i < 2 ? Role::weight : Role::bias).named("p" + std::to_string(i)));
  }
  return parameters;
}

void give_gradients(std::vector<Parameter>& parameters, std::size_t step) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    parameters[i].set_gradient(from(recorded()["grads"][step][i].get<std::vector<float>>(), shapes()[i]));
  }
}

using Make = std::function<std::unique_ptr<Optimizer>(const std::vector<Parameter>&)>;

template <class T, class Options>
Make make(Options options) {
  return
      [options](const std::vector<Parameter>& parameters) { return std::make_unique<T>(Groups(parameters), options); };
}

/// The largest distance from the recorded trajectory relative to the largest |p|. `averages`: compares the averaged
/// weights.
double distance(const std::string& name, const Make& make, bool averages = false, std::size_t resume_at = 1000) {
  const nlohmann::json& trajectory = recorded()["optimizers"][name];
  const auto after = recorded()["recorded"].get<std::vector<std::size_t>>();
  REQUIRE(trajectory.size() == after.size());
  std::vector<Parameter> parameters = parameters_at_first();
  auto optimizer = make(parameters);
  double worst = 0.0;
  std::size_t next = 0;
  for (std::size_t step = 0; step < after.back(); ++step) {
    if (step == resume_at) {
      const OptimizerState state = optimizer->state();
      optimizer = make(parameters);
      optimizer->load(state);
    }
    give_gradients(parameters, step);
    CHECK(optimizer->step().applied);
    if (step + 1 != after[next]) continue;
    if (averages) optimizer->swap_averages();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const auto expected = trajectory[next][i].get<std::vector<double>>();
      const auto got = parameters[i].value().values<float>();
      double largest = 0.0, error = 0.0;
      for (std::size_t j = 0; j < expected.size(); ++j) {
        largest = temper_test::larger(largest, std::abs(expected[j]));
        error = temper_test::larger(error, std::abs(got[j] - expected[j]));
      }
      worst = temper_test::larger(worst, error / largest);
    }
    if (averages) optimizer->swap_averages();
    ++next;
  }
  return worst;
}

std::map<std::string, Make> configurations() {
  const auto with = [](const Make& make, void (*change)(Optimizer&)) -> Make {
    return [=](const std::vector<Parameter>& parameters) {
      auto optimizer = make(parameters);
      change(*optimizer);
      return optimizer;
    };
  };
  return {
      {"sgd", make<SGD>(SGDOptions{.lr = 0.05})},
      {"sgd_momentum", make<SGD>(SGDOptions{.lr = 0.05, .momentum = 0.9, .dampening = 0.5, .l2 = 0.01})},
      {"sgd_nesterov", make<SGD>(SGDOptions{.lr = 0.05, .momentum = 0.9, .nesterov = true})},
      {"sgdw", make<SGDW>(SGDWOptions{.lr = 0.05, .momentum = 0.9, .weight_decay = 0.1})},
      {"adam", make<Adam>(AdamOptions{.lr = 0.02, .l2 = 0.01})},
      {"adam_amsgrad", make<Adam>(AdamOptions{.lr = 0.02, .beta1 = 0.8, .beta2 = 0.9, .amsgrad = true})},
      {"adamw", make<AdamW>(AdamWOptions{.lr = 0.02, .weight_decay = 0.1})},
      {"nadam", make<NAdam>(NAdamOptions{.lr = 0.02})},
      {"radam", make<RAdam>(RAdamOptions{.lr = 0.02})},
      {"adamax", make<Adamax>(AdamaxOptions{.lr = 0.02})},
      {"rmsprop", make<RMSprop>(RMSpropOptions{.lr = 0.01})},
      {"rmsprop_centered", make<RMSprop>(RMSpropOptions{.lr = 0.01, .momentum = 0.9, .centered = true})},
      {"adagrad", make<Adagrad>(AdagradOptions{.lr = 0.1, .l2 = 0.01})},
      {"lion", make<Lion>(LionOptions{.lr = 0.01, .weight_decay = 0.1})},
      {"lamb", make<LAMB>(LAMBOptions{.lr = 0.02, .weight_decay = 0.1})},
      {"nadamw", make<AdamW>(AdamWOptions{.lr = 0.02, .weight_decay = 0.1, .nesterov = true})},
      {"cautious_adamw", make<AdamW>(AdamWOptions{.lr = 0.02, .weight_decay = 0.1, .cautious = true})},
      {"cautious_decay", make<AdamW>(AdamWOptions{.lr = 0.02, .weight_decay = 0.5, .cautious_decay = true})},
      {"cautious_lion", make<Lion>(LionOptions{.lr = 0.01, .weight_decay = 0.1, .cautious = true})},
      {"cautious_sgdw",
       make<SGDW>(
           SGDWOptions{.lr = 0.02, .momentum = 0.9, .cautious = true, .weight_decay = 0.5, .cautious_decay = true})},
      {"ademamix", make<AdEMAMix>(AdEMAMixOptions{.lr = 0.01, .beta3 = 0.999, .weight_decay = 0.1})},
      {"ademamix_warm",
       make<AdEMAMix>(AdEMAMixOptions{
           .lr = 0.01, .beta3 = beta3_warmup(0.9, 0.9999, 15), .alpha = 5.0 * warmup(15), .weight_decay = 0.1})},
      {"adopt", make<ADOPT>(ADOPTOptions{.lr = 0.02, .beta2 = 0.99})},
      {"adopt_cautious", make<ADOPT>(ADOPTOptions{.lr = 0.02, .beta2 = 0.99, .cautious = true})},
      {"adadelta", make<Adadelta>(AdadeltaOptions{.lr = 0.5, .l2 = 0.01})},
      {"rprop", make<Rprop>(RpropOptions{.lr = 0.01, .least = 1e-3, .most = 0.1})},
      {"lars", make<LARS>(LARSOptions{.lr = 2.0, .weight_decay = 0.1, .trust = 0.02, .eps = 0.0})},
      {"schedule_free", make<ScheduleFree>(ScheduleFreeOptions{.lr = 0.05 * warmup(5), .weight_decay = 0.1})},
      {"schedule_free_sgd",
       make<ScheduleFreeSGD>(ScheduleFreeSGDOptions{.lr = 0.2 * warmup(3), .weight_decay = 0.1, .r = 1.0})},
      {"lookahead", with(make<SGD>(SGDOptions{.lr = 0.05, .momentum = 0.9}),
                         [](Optimizer& optimizer) { optimizer.look_ahead({.every = 3, .share = 0.6}); })},
      {"adaptive_clip", with(make<SGD>(SGDOptions{.lr = 0.1}),
                             [](Optimizer& optimizer) {
                               optimizer.clip_adaptively(
                                   {.clipping = 0.3, .eps = 1e-3, .skip = [](const Parameter&) { return false; }});
                             })},
  };
}

}  // namespace

TEST_CASE("the optimizers follow the recorded trajectories, resumed or not") {
  for (const auto& configuration : configurations()) {
    const std::string& name = configuration.first;
    const Make& make = configuration.second;
    CAPTURE(name);
    CHECK(distance(name, make) <= 1e-6);
    CHECK(distance(name, make, false, 7) <= 1e-6);
  }
}

TEST_CASE("Schedule-Free is evaluated at the average, which does not affect training") {
  const Make make = configurations().at("schedule_free");
  CHECK(distance("schedule_free_x", make, true) <= 1e-6);
  // Swapping in and out does not change a bit.
  const auto end = [&](bool swaps) {
    std::vector<Parameter> parameters = parameters_at_first();
    const auto optimizer = make(parameters);
    CHECK_FALSE(optimizer->has_averages());
    for (std::size_t step = 0; step < 8; ++step) {
      give_gradients(parameters, step);
      optimizer->step();
      CHECK(optimizer->has_averages());
      if (!swaps) continue;
      optimizer->swap_averages();
      optimizer->swap_averages();
    }
    const auto values = parameters[0].value().values<float>();
    return std::vector<float>(values.begin(), values.end());
  };
  CHECK(end(true) == end(false));
  std::vector<Parameter> parameters = parameters_at_first();
  CHECK_THROWS_WITH_AS(make(parameters)->average(),
                       "ScheduleFree: it averages the weights by itself; swap_averages() gives them", ValueError);
  CHECK_THROWS_WITH_AS(make(parameters)->swap_averages(), "ScheduleFree: there are no averages of the weights yet",
                       ValueError);
  const auto rules = [&](const Schedule& lr) {
    const LintReport report = lint(ScheduleFree(parameters, {.lr = lr}), 10000);
    return report.warnings.empty() ? "" : report.warnings.front().rule;
  };
  CHECK(rules(1e-3 * warmup(1000)) == "");
  CHECK(rules(1e-3 * warmup(1000).then(cosine(9000))) == "schedule with Schedule-Free");
}

TEST_CASE("Prodigy's estimate and weights follow the recorded ones, resumed or not") {
  const auto check = [](const std::string& name, const ProdigyOptions& options, std::size_t resume_at) {
    CAPTURE(name);
    CAPTURE(resume_at);
    std::vector<Parameter> parameters = parameters_at_first();
    auto prodigy = std::make_unique<Prodigy>(parameters, options);
    const auto after = recorded()["recorded"].get<std::vector<std::size_t>>();
    std::size_t next = 0;
    for (std::size_t step = 0; step < 10; ++step) {
      if (step == resume_at) {
        const OptimizerState state = prodigy->state();
        prodigy = std::make_unique<Prodigy>(parameters, options);
        prodigy->load(state);
      }
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        auto g = recorded()["grads"][0][i].get<std::vector<float>>();
        const auto more = recorded()["grads"][step][i].get<std::vector<float>>();
        for (std::size_t j = 0; j < g.size(); ++j) g[j] += more[j] / 8;
        parameters[i].set_gradient(from(g, shapes()[i]));
      }
      prodigy->step();
      if (step + 1 != after[next]) continue;
      const nlohmann::json& expected = recorded()["optimizers"][name][next++];
      CAPTURE(step);
      CHECK(prodigy->d() == near(expected[0].get<double>(), 1e-4));
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        const auto values = expected[i + 1].get<std::vector<double>>();
        double largest = 0.0;
        for (const double x : values) largest = temper_test::larger(largest, std::abs(x));
        for (std::size_t j = 0; j < values.size(); ++j) {
          CHECK(std::abs(parameters[i].value().values<float>()[j] - values[j]) <= 1e-4 * largest);
        }
      }
    }
    CHECK(prodigy->d() > 2.0 * options.d0);
  };
  for (const std::size_t resume_at : {std::size_t{1000}, std::size_t{7}}) {
    check("prodigy", {.weight_decay = 0.01, .d0 = 1e-3}, resume_at);
    check("prodigy_growth",
          {.d0 = 1e-3, .d_coef = 16.0, .growth = 1.5, .bias_correction = true, .safeguard_warmup = true}, resume_at);
  }
  CHECK_THROWS_WITH_AS(Prodigy(parameters_at_first(), {.d0 = 0.0}), "Prodigy: d0 is 0, expected a positive number",
                       ValueError);
}

TEST_CASE("SOAP follows the recorded trajectory, resumed or not") {
  const auto rows = [](const nlohmann::json& matrix) {
    return from(matrix.get<std::vector<float>>(), {6, 4}).rows(0, 4).clone();
  };
  for (const std::size_t resume_at : {std::size_t{1000}, std::size_t{7}}) {
    Parameter p = Parameter(rows(recorded()["p0"][0]), Role::weight).named("p");
    const auto make_soap = [&] {
      return std::make_unique<SOAP>(
          Groups{p}, SOAPOptions{.lr = 0.02, .beta2 = 0.9, .shampoo_beta = 0.8, .weight_decay = 0.01, .every = 3});
    };
    auto soap = make_soap();
    const auto after = recorded()["recorded"].get<std::vector<std::size_t>>();
    std::size_t next = 0;
    for (std::size_t step = 0; step < after.back(); ++step) {
      if (step == resume_at) {
        const OptimizerState state = soap->state();
        soap = make_soap();
        soap->load(state);
      }
      p.set_gradient(rows(recorded()["grads"][step][0]));
      soap->step();
      if (step + 1 != after[next]) continue;
      const auto expected = recorded()["optimizers"]["soap"][next++].get<std::vector<double>>();
      for (std::size_t i = 0; i < expected.size(); ++i) {
        CAPTURE(step);
        CHECK(p.value().values<float>()[i] == doctest::Approx(expected[i]).epsilon(1e-4));
      }
    }
  }
  // A vector is updated by Adam, from the second update on; an axis that is too long is not rotated.
  Parameter p(normal({5}), Role::bias), tall(normal({40, 3}), Role::weight);
  Parameter q(p.value().clone(), Role::bias);
  Adam adam({p}, {.lr = 0.1, .beta1 = 0.9, .beta2 = 0.9});
  SOAP soap({q, tall}, {.lr = 0.1, .beta1 = 0.9, .beta2 = 0.9, .weight_decay = 0.0, .max_side = 8});
  for (int step = 0; step < 4; ++step) {
    const Tensor g = normal({5});
    q.set_gradient(g.clone());
    tall.set_gradient(normal({40, 3}));
    soap.step();
    if (step > 0) {
      p.set_gradient(g.clone());
      adam.step();
    }
    for (std::size_t i = 0; i < 5; ++i) CHECK(q.value().values<float>()[i] == near(p.value().values<float>()[i], 1e-4));
  }
  for (const float x : tall.value().values<float>()) CHECK(std::isfinite(x));
  CHECK_THROWS_AS(SOAP({q}, {.every = 0}), ValueError);
}

TEST_CASE("ADOPT's first update initializes the second moment and changes no weight") {
  Parameter p(full({3}, 1.0f), Role::weight);
  ADOPT adopt({p}, {.lr = 0.5, .weight_decay = 0.1});
  p.set_gradient(full({3}, 2.0f));
  adopt.step();
  CHECK(p.value().values<float>()[0] == 1.0f);
  p.set_gradient(full({3}, 2.0f));
  adopt.step();
  CHECK(p.value().values<float>()[0] == near(1.0 - 0.5 * (0.1 * 1.0) - 0.5 * 0.1));
}

TEST_CASE("options that cannot be combined throw") {
  Parameter p(full({3}, 1.0f), Role::weight);
  CHECK_THROWS_WITH_AS(AdamW({p}, {.amsgrad = true, .nesterov = true}),
                       "AdamW: nesterov and cautious go with neither amsgrad nor Rounding::torch_compat", ValueError);
  CHECK_THROWS_WITH_AS(Adam({p}, {.cautious = true, .moments = Moments::bits8}),
                       "Adam: cautious steps need moments in f32", ValueError);
  CHECK_THROWS_WITH_AS(SGD({p}, {.lr = 0.1, .cautious = true, .rounding = Rounding::torch_compat}),
                       "SGD: cautious steps do not go with Rounding::torch_compat", ValueError);
  SGD sgd({p}, {.lr = 0.1});
  CHECK_THROWS_AS(sgd.look_ahead({.every = 0}), ValueError);
  CHECK_THROWS_AS(sgd.clip_adaptively({.clipping = 0.0}), ValueError);
  sgd.look_ahead();
  CHECK_THROWS_WITH_AS(sgd.look_ahead(), "SGD: it looks ahead already", ValueError);
  CHECK_THROWS_AS(beta3_warmup(0.0, 0.999, 10), ValueError);
  CHECK(parse("beta3_warmup(0.9, 0.999, 100)") == beta3_warmup(0.9, 0.999, 100));
}

TEST_CASE("Lookahead pulls back parameters without a gradient too") {
  Parameter p(full({9000}, 0.0f), Role::weight), q(full({9000}, 0.0f), Role::weight);
  SGD sgd({p, q}, {.lr = 1.0});
  sgd.look_ahead({.every = 2, .share = 0.5});
  p.set_gradient(full({9000}, -1.0f));
  q.set_gradient(full({9000}, -1.0f));
  sgd.step();
  p.set_gradient(full({9000}, -1.0f));
  sgd.step();
  CHECK(p.value().values<float>()[8999] == 1.0f);
  CHECK(q.value().values<float>()[8999] == 0.5f);
}

TEST_CASE("Nesterov with narrow moments stays close to f32") {
  for (const Moments moments : {Moments::bf16, Moments::bits8}) {
    const Make narrow =
        make<AdamW>(AdamWOptions{.lr = 0.02, .weight_decay = 0.1, .nesterov = true, .moments = moments});
    const Make plain = make<AdamW>(AdamWOptions{.lr = 0.02, .weight_decay = 0.1, .moments = moments});
    CHECK(distance("nadamw", narrow) < 0.02);
    CHECK(distance("nadamw", narrow) < distance("nadamw", plain));
  }
}
