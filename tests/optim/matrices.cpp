// Optimizers that work on whole matrices: Muon and Adafactor.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/core/parallel.hpp>
#include <temper/optim/optim.hpp>

#include "tests/larger.hpp"
#include "tests/optim/golden_internal.hpp"
#include "tests/optim/near_internal.hpp"
#include "tests/optim/numbers_internal.hpp"

using namespace temper;
using namespace temper::optim;

namespace {

Tensor filled(Numbers& numbers, const Shape& shape) {
  Tensor x = empty(shape);
  for (float& value : x.mutable_values<float>()) value = numbers();
  return x;
}

/// The parameters of the recorded trajectories: two weights, an embedding, a bias.
std::vector<Parameter> recorded_parameters() {
  const nlohmann::json& p0 = optim_golden()["matrix_p0"];
  const auto tensor = [&](std::size_t i, const Shape& shape) { return from(p0[i].get<std::vector<float>>(), shape); };
  return {Parameter(tensor(0, {3, 5}), Role::weight).named("wide"),
          Parameter(tensor(1, {6, 2}), Role::weight).named("tall"),
          Parameter(tensor(2, {4, 3}), Role::embedding).named("embedding"),
          Parameter(tensor(3, {3}), Role::bias).named("bias")};
}

template <class T, class Options>
void reproduce(const std::string& name, const Options& options) {
  CAPTURE(name);
  const nlohmann::json& golden = optim_golden();
  const nlohmann::json& trajectory = golden["matrices"][name]["trajectory"];
  std::vector<Parameter> parameters = recorded_parameters();
  T optimizer(parameters, options);
  REQUIRE(trajectory.size() == 6);
  for (std::size_t step = 0; step < trajectory.size(); ++step) {
    CAPTURE(step);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const auto gradient = golden["matrix_grads"][step][i].get<std::vector<float>>();
      parameters[i].set_gradient(from(gradient, parameters[i].shape()));
    }
    optimizer.step();
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const auto expected = trajectory[step][i].get<std::vector<double>>();
      const auto got = parameters[i].value().values<float>();
      REQUIRE(got.size() == expected.size());
      for (std::size_t j = 0; j < expected.size(); ++j) {
        CAPTURE(i);
        CAPTURE(j);
        CHECK(std::abs(got[j] - expected[j]) <= 3e-6);
      }
    }
  }
}

}  // namespace

TEST_CASE("Muon as published, and AdamW for parameters that are not 2-D weights") {
  const Predicate none = [](const Parameter&) { return false; };
  reproduce<Muon>("muon", MuonOptions{.lr = 0.02, .weight_decay = 0.1, .adamw = none});
  reproduce<Muon>("muon_spectral", MuonOptions{.lr = 0.02,
                                               .momentum = 0.9,
                                               .nesterov = false,
                                               .weight_decay = 0.0,
                                               .scale = MuonScale::spectral,
                                               .adamw = none,
                                               .adamw_scale = 0.1});
}

namespace {

/// The matrices of the newer trajectories, without their vector.
double normuon_distance(const NorMuonOptions& options) {
  const nlohmann::json newer = nlohmann::json::parse(std::ifstream(TEMPER_TEST_DIR "/golden/optim_newer.json"));
  const std::vector<Shape> shapes = {{6, 4}, {3, 8}};
  std::vector<Parameter> parameters;
  for (std::size_t i = 0; i < 2; ++i) {
    parameters.emplace_back(from(newer["p0"][i].get<std::vector<float>>(), shapes[i]), Role::weight);
  }
  NorMuon normuon(parameters, options);
  const auto after = newer["recorded"].get<std::vector<std::size_t>>();
  double worst = 0.0;
  std::size_t next = 0;
  for (std::size_t step = 0; step < after.back(); ++step) {
    for (std::size_t i = 0; i < 2; ++i) {
      parameters[i].set_gradient(from(newer["grads"][step][i].get<std::vector<float>>(), shapes[i]));
    }
    normuon.step();
    if (step + 1 != after[next]) continue;
    for (std::size_t i = 0; i < 2; ++i) {
      const auto expected = newer["optimizers"]["normuon"][next][i].get<std::vector<double>>();
      for (std::size_t j = 0; j < expected.size(); ++j) {
        worst = temper_test::larger(worst, std::abs(parameters[i].value().values<float>()[j] - expected[j]));
      }
    }
    ++next;
  }
  return worst;
}

/// The squares of the singular values of a matrix with two rows.
std::vector<double> singular_squares(const Tensor& x) {
  const float* a = x.data<float>();
  const std::int64_t n = x.size(1);
  double p = 0, q = 0, r = 0;
  for (std::int64_t j = 0; j < n; ++j) {
    p += static_cast<double>(a[j]) * static_cast<double>(a[j]);
    q += static_cast<double>(a[j]) * static_cast<double>(a[n + j]);
    r += static_cast<double>(a[n + j]) * static_cast<double>(a[n + j]);
  }
  const double mean = 0.5 * (p + r), off = std::sqrt(0.25 * (p - r) * (p - r) + q * q);
  return {mean - off, mean + off};
}

}  // namespace

TEST_CASE("NorMuon agrees with its formula") {
  const Predicate none = [](const Parameter&) { return false; };
  const NorMuonOptions options{
      .lr = 0.02, .momentum = 0.9, .weight_decay = 0.1, .iteration = NewtonSchulz::exact, .adamw = none};
  CHECK(normuon_distance(options) < 1e-4);
  NorMuonOptions other = options;
  other.row_beta = 0.0;  // rows of equal length
  CHECK(normuon_distance(other) > 1e-3);
}

TEST_CASE("NorMuon's divisors have a lower bound relative to the matrix") {
  Parameter p(full({4, 4}, 10.0f), Role::weight);
  NorMuon normuon({p}, {.lr = 1.0, .floor = 0.35, .weight_decay = 0.0});
  p.set_gradient(normal({4, 4}));
  CHECK(normuon.step({.measure = true}).update_ratio == near(0.35, 1e-4));
}

TEST_CASE("the Newton-Schulz polynomials bring singular values near 1") {
  const auto squares = [](NewtonSchulz iteration) {
    Parameter p(zeros({2, 5}), Role::weight);
    Muon muon(
        {p}, {.lr = 1.0, .nesterov = false, .weight_decay = 0.0, .scale = MuonScale::spectral, .iteration = iteration});
    p.set_gradient(from({1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 1.0f, 2.0f, -3.0f, 4.0f, 5.5f}, {2, 5}));
    muon.step();
    return singular_squares(p.value());
  };
  for (const double x : squares(NewtonSchulz::exact)) CHECK(x == near(1.0, 1e-3));
  // Its five polynomials map singular values from 0.001 to 1 into 0.85 to 1.14.
  for (const double x : squares(NewtonSchulz::polar_express)) CHECK((x > 0.722 && x < 1.307));
  for (const double x : squares(NewtonSchulz::jordan)) CHECK((x > 0.4 && x < 1.5));
}

TEST_CASE("convolution weights are one matrix, and stacked projections several") {
  const Tensor g = normal({6, 2, 2, 2});
  const auto moved = [](const Tensor& gradient, const MuonOptions& options, const char* name) {
    const Parameter p = Parameter(zeros(gradient.shape()), Role::weight).named(name);
    Muon muon({p}, options);
    Parameter(p).set_gradient(gradient.clone());
    muon.step();
    const auto values = p.value().values<float>();
    return std::vector<float>(values.begin(), values.end());
  };
  const Predicate none = [](const Parameter&) { return false; };
  const MuonOptions options{.lr = 1.0, .weight_decay = 0.0, .adamw = none};
  CHECK(moved(g, options, "conv.weight") == moved(g.view({6, 8}), options, "weight"));
  // Three stacked matrices are updated like three separate ones.
  const std::vector<float> whole = moved(g.view({6, 8}), options, "attention.in_proj_weight");
  for (std::int64_t block = 0; block < 3; ++block) {
    const std::vector<float> alone = moved(g.view({6, 8}).rows(2 * block, 2 * block + 2).clone(), options, "weight");
    for (std::size_t i = 0; i < alone.size(); ++i) {
      CHECK(whole[static_cast<std::size_t>(block) * 16 + i] == near(static_cast<double>(alone[i]), 1e-4));
    }
  }
  CHECK(moved(g.view({6, 8}), options, "weight") != whole);
  MuonOptions wrong = options;
  wrong.row_blocks = [](const Parameter&) { return std::vector<std::int64_t>{2, 3}; };
  CHECK_THROWS_WITH_AS(moved(g.view({6, 8}), wrong, "w"),
                       "Muon: 'w' [6, 8] has row blocks of [2, 3], expected positive numbers that add up to 6",
                       ValueError);
}

TEST_CASE("muon_groups is one line") {
  const auto weight = [](const char* name, const Shape& shape, Role role = Role::weight) {
    return Parameter(ones(shape), role).named(name);
  };
  const std::vector<Parameter> parameters = {weight("embed.weight", {50, 8}, Role::embedding),
                                             weight("conv1.weight", {8, 3, 3, 3}),
                                             weight("depthwise.weight", {8, 1, 3, 3}),
                                             weight("conv2.weight", {16, 8, 3, 3}),
                                             weight("thin.weight", {1000, 4}),
                                             weight("fc.weight", {16, 32}),
                                             weight("norm.weight", {16}, Role::norm_gain),
                                             weight("out.weight", {10, 16})};
  const Groups groups = muon_groups(parameters);
  const Muon muon(groups, {.lr = 0.025, .scale = MuonScale::spectral});
  REQUIRE(groups.size() == 4);
  const auto names = [](const Group& group) {
    std::string all;
    for (const Parameter& p : group.parameters) all += p.name() + " ";
    return all;
  };
  CHECK(names(groups[0]) == "conv2.weight fc.weight ");
  CHECK(names(groups[1]) == "embed.weight ");
  CHECK(names(groups[2]) == "out.weight ");
  CHECK(names(groups[3]) == "conv1.weight depthwise.weight thin.weight norm.weight ");
  CHECK(muon.lr(1) == near(0.7));
  CHECK(muon.lr(2) == near(0.004));
  CHECK(muon.value("weight_decay", 0, 3) == 0.0);
}

TEST_CASE("Adafactor as published") {
  reproduce<Adafactor>("adafactor", AdafactorOptions{});
  reproduce<Adafactor>("adafactor_relative",
                       AdafactorOptions{.lr = 0.6, .scale_parameter = false, .clip_threshold = 0.7});
  reproduce<Adafactor>(
      "adafactor_momentum",
      AdafactorOptions{
          .lr = 0.05, .relative_step = false, .scale_parameter = false, .beta1 = 0.9, .weight_decay = 0.1});
}

TEST_CASE("Muon's step is nearly orthogonal, whatever the scale of the gradient") {
  Numbers numbers;
  for (const float size : {1.0f, 1e-5f, 1e10f}) {
    Parameter p(zeros({20, 50}), Role::weight);
    Muon muon({p}, {.lr = 1.0, .weight_decay = 0.0, .scale = MuonScale::spectral});
    Tensor g = normal({20, 50});
    for (float& x : g.mutable_values<float>()) x *= size;
    p.set_gradient(g);
    muon.step();
    // Rows of an orthogonal matrix have length 1 and are perpendicular.
    const float* x = p.value().data<float>();
    double lengths = 0.0;
    for (std::int64_t i = 0; i < 20 * 50; ++i) lengths += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    CHECK(std::sqrt(lengths / 20) > 0.7);
    CHECK(std::sqrt(lengths / 20) < 1.2);
    CHECK(g.values<float>()[0] != 0.0f);  // the caller's handle is unchanged
  }
}

TEST_CASE("which weights Muon takes") {
  const auto weight = [](const char* name, const Shape& shape, Role role = Role::weight) {
    return Parameter(ones(shape), role).named(name);
  };
  std::vector<Parameter> parameters = {
      weight("0.fc.weight", {2, 3}),         weight("embed.weight", {2, 3}, Role::embedding),
      weight("lm_head.weight", {2, 3}),      weight("decoder.head.weight", {2, 3}),
      weight("conv.weight", {2, 3, 1, 1}),   weight("header.weight", {2, 3}),
      weight("4.classifier.weight", {2, 3}), weight("fc.weight", {2, 3})};
  Muon muon(parameters, {});
  for (Parameter& p : parameters) p.set_gradient(ones(p.shape()));
  muon.step();
  std::vector<std::string> taken;
  for (const auto& [name, tensor] : muon.state().tensors) {
    if (name.ends_with("/momentum_buffer")) taken.push_back(name);
  }
  CHECK(taken == std::vector<std::string>{"0.fc.weight/momentum_buffer", "header.weight/momentum_buffer"});
  CHECK(muon.state().tensors.contains("conv.weight/exp_avg"));
  CHECK_FALSE(muon.state().tensors.contains("0.fc.weight/exp_avg"));
  // The last layer of a Sequential is the output, whatever its name. A model with one matrix updates it with Muon.
  const std::vector<Parameter> layers = {weight("0.weight", {2, 3}), weight("0.bias", {2}, Role::bias),
                                         weight("2.weight", {2, 3}), weight("4.weight", {2, 3})};
  const Predicate output = output_layers(layers);
  CHECK_FALSE(output(layers[0]));
  CHECK_FALSE(output(layers[2]));
  CHECK(output(layers[3]));
  CHECK_FALSE(output_layers({layers[0]})(layers[0]));
  // In a model whose output has the embedding's weight [tokens, width], the last weight is a hidden one.
  const std::vector<Parameter> tied = {weight("wte.weight", {7, 3}, Role::embedding), weight("up.weight", {12, 3}),
                                       weight("down.weight", {3, 12})};
  CHECK_FALSE(output_layers(tied)(tied[2]));
  CHECK(hidden_matrices(tied)(tied[2]));
  const std::vector<Parameter> untied = {tied[0], tied[1], tied[2], weight("out.weight", {7, 3})};
  CHECK(output_layers(untied)(untied[3]));
  CHECK_THROWS_WITH_AS(Muon(parameters, {.steps = -1}), "Muon: -1 Newton-Schulz steps, expected at least 1, or 0",
                       ValueError);
}

TEST_CASE("Adafactor keeps a number per row and column") {
  Parameter p(ones({4, 3, 5}), Role::weight);
  const Parameter named = p.named("p");
  Adafactor adafactor({named}, {});
  p.set_gradient(ones({4, 3, 5}));
  adafactor.step();
  const OptimizerState state = adafactor.state();
  CHECK(state.tensors.size() == 3);  // including counters
  CHECK(state.tensors.at("p/exp_avg_sq_row").shape() == Shape{4});
  CHECK(state.tensors.at("p/exp_avg_sq_col").shape() == Shape{15});
}

TEST_CASE("with clipping, groups, zero sizes and any number of threads: the same bits, resumed or not") {
  const int before = threads();
  const std::vector<Shape> shapes = {{70, 300}, {300, 70}, {0, 3}, {5, 0}, {1, 1}, {20000}, {}, {3, 3, 3, 3}};
  const auto run = [&](const auto& make, int resume_at) {
    Numbers numbers;
    std::vector<Parameter> parameters;
    for (const Shape& shape : shapes) {
      parameters.push_back(Parameter(filled(numbers, shape), Role::weight).named(std::to_string(parameters.size())));
    }
    auto optimizer = make(parameters);
    for (int step = 0; step < 5; ++step) {
      if (step == resume_at) {
        auto next = make(parameters);
        next->load(optimizer->state());
        optimizer = std::move(next);
      }
      for (Parameter& p : parameters) p.set_gradient(filled(numbers, p.shape()));
      CHECK(optimizer->step().applied);
    }
    std::vector<float> values;
    for (const Parameter& p : parameters) {
      for (const float x : p.value().values<float>()) {
        CHECK(std::isfinite(x));
        values.push_back(x);
      }
    }
    return values;
  };
  const auto check = [&](const auto& make) {
    set_threads(1);
    const std::vector<float> expected = run(make, -1);
    CHECK(run(make, 3) == expected);
    set_threads(3);
    CHECK(run(make, -1) == expected);
  };
  check([](const std::vector<Parameter>& p) {
    return std::make_unique<Adafactor>(p, AdafactorOptions{.beta1 = 0.9, .clip_norm = 1.0});
  });
  // oneDNN's products may have other bits with another number of threads.
  set_threads(1);
  const auto muon = [](const std::vector<Parameter>& p) {
    return std::make_unique<Muon>(p, MuonOptions{.momentum = 0.9 * warmup(3), .clip_norm = 1.0});
  };
  CHECK(run(muon, 3) == run(muon, -1));
  set_threads(before);
}
