// Optimizers of matrices, of distances and of line searches: references in double equal the trajectories that other
// programs recorded (tests/golden/record_newer.py), and the optimizers in f32 are close to the references.

#include "tests/reference/optimizers.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <temper/optim/optim.hpp>

#include "tests/larger.hpp"

using namespace temper;
using namespace temper::optim;
using temper_test::LbfgsReference;
using temper_test::Matrix;
using temper_test::MuonReference;
using temper_test::ProdigyReference;
using temper_test::SoapReference;

namespace {

constexpr double of_outside = 1e-8, of_float = 1e-4;

const nlohmann::json& recorded() {
  static const nlohmann::json all = nlohmann::json::parse(std::ifstream(TEMPER_TEST_DIR "/golden/optim_newer.json"));
  return all;
}

std::vector<double> values(const nlohmann::json& list) { return list.get<std::vector<double>>(); }

/// The largest difference relative to the largest value.
double distance(const std::vector<double>& expected, const std::vector<double>& got) {
  REQUIRE(expected.size() == got.size());
  double largest = 0.0, error = 0.0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    largest = temper_test::larger(largest, std::abs(expected[i]));
    error = temper_test::larger(error, std::abs(expected[i] - got[i]));
  }
  return error / largest;
}

std::vector<double> values(const Parameter& p) {
  const auto x = p.value().values<float>();
  return {x.begin(), x.end()};
}

Tensor tensor(const Matrix& a) {
  const std::vector<float> narrow(a.values.begin(), a.values.end());
  return from(narrow, {static_cast<std::int64_t>(a.rows), static_cast<std::int64_t>(a.columns)});
}

/// Weights and gradients of one matrix.
struct Inputs {
  Matrix p;
  std::vector<Matrix> gradients;
};

/// The first `rows` rows of the recorded matrix `which`.
Inputs recorded_inputs(std::size_t which, std::size_t rows, std::size_t columns) {
  const auto matrix = [&](const nlohmann::json& all) {
    std::vector<double> x = values(all[which]);
    x.resize(rows * columns);
    return Matrix{rows, columns, x};
  };
  Inputs inputs{matrix(recorded()["p0"]), {}};
  for (const nlohmann::json& gradients : recorded()["grads"]) inputs.gradients.push_back(matrix(gradients));
  return inputs;
}

/// A larger matrix; its values are floats.
Inputs drawn_inputs(std::size_t rows, std::size_t columns) {
  const auto matrix = [&] {
    const Tensor x = normal({static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)});
    const auto drawn = x.values<float>();
    return Matrix{rows, columns, {drawn.begin(), drawn.end()}};
  };
  Inputs inputs{matrix(), {}};
  for (int step = 0; step < 20; ++step) inputs.gradients.push_back(matrix());
  return inputs;
}

/// Calls `look` with the weights after each step of the reference.
template <class Reference>
void follow(Reference reference, const Inputs& inputs, const std::function<void(std::size_t, const Matrix&)>& look) {
  Matrix p = inputs.p;
  for (std::size_t step = 0; step < inputs.gradients.size(); ++step) {
    reference.step(p, inputs.gradients[step]);
    look(step, p);
  }
}

/// The distance of the reference from the recorded values `at(i)`.
template <class Reference>
double from_outside(const Reference& reference, const Inputs& inputs,
                    const std::function<nlohmann::json(std::size_t)>& at) {
  const auto after = recorded()["recorded"].get<std::vector<std::size_t>>();
  double worst = 0.0;
  std::size_t next = 0;
  follow(reference, inputs, [&](std::size_t step, const Matrix& p) {
    if (step + 1 == after[next]) worst = temper_test::larger(worst, distance(values(at(next++)), p.values));
  });
  CHECK(next == after.size());
  return worst;
}

/// The distance of an optimizer in f32 from the reference, over all steps.
template <class Reference>
double from_reference(const Reference& reference, const Inputs& inputs,
                      const std::function<std::unique_ptr<Optimizer>(const Parameter&)>& make) {
  Parameter p = Parameter(tensor(inputs.p), Role::weight).named("p");
  const auto optimizer = make(p);
  double worst = 0.0;
  follow(reference, inputs, [&](std::size_t step, const Matrix& expected) {
    p.set_gradient(tensor(inputs.gradients[step]));
    optimizer->step();
    worst = temper_test::larger(worst, distance(expected.values, values(p)));
  });
  return worst;
}

}  // namespace

TEST_CASE("Muon: the reference equals PyTorch's, f32 is close to the reference") {
  const Predicate none = [](const Parameter&) { return false; };
  const auto check = [&](const std::string& name, const MuonReference& reference, const MuonOptions& options) {
    CAPTURE(name);
    const auto make = [&](const Parameter& p) { return std::make_unique<Muon>(Groups{p}, options); };
    for (std::size_t which : {0u, 1u}) {
      const Inputs inputs = which == 0 ? recorded_inputs(0, 6, 4) : recorded_inputs(1, 3, 8);
      CHECK(from_outside(reference, inputs, [&](std::size_t i) { return recorded()["optimizers"][name][i][which]; }) <
            of_outside);
      CHECK(from_reference(reference, inputs, make) < of_float);
    }
    CHECK(from_reference(reference, drawn_inputs(40, 24), make) < of_float);
  };
  check("muon", {.lr = 0.02, .momentum = 0.9, .weight_decay = 0.1, .spectral = true},
        {.lr = 0.02, .momentum = 0.9, .weight_decay = 0.1, .scale = MuonScale::spectral, .adamw = none});
  check("muon_adamw", {.lr = 0.02, .momentum = 0.95, .weight_decay = 0.1, .nesterov = false},
        {.lr = 0.02, .nesterov = false, .weight_decay = 0.1, .adamw = none});
}

TEST_CASE("NorMuon: the reference equals the recorded formula, f32 is close to the reference") {
  const MuonReference reference{.lr = 0.02, .momentum = 0.9, .weight_decay = 0.1, .row_beta = 0.95, .exact = true};
  const auto make = [&](const Parameter& p) {
    return std::make_unique<NorMuon>(Groups{p}, NorMuonOptions{.lr = 0.02,
                                                               .momentum = 0.9,
                                                               .weight_decay = 0.1,
                                                               .iteration = NewtonSchulz::exact,
                                                               .adamw = [](const Parameter&) { return false; }});
  };
  for (std::size_t which : {0u, 1u}) {
    const Inputs inputs = which == 0 ? recorded_inputs(0, 6, 4) : recorded_inputs(1, 3, 8);
    CHECK(from_outside(reference, inputs,
                       [&](std::size_t i) { return recorded()["optimizers"]["normuon"][i][which]; }) < of_outside);
    CHECK(from_reference(reference, inputs, make) < of_float);
  }
  CHECK(from_reference(reference, drawn_inputs(24, 40), make) < of_float);
}

TEST_CASE("SOAP: the reference equals pytorch-optimizer's, f32 is close to the reference") {
  // Square matrices: one gradient does not determine all directions of a longer side.
  const SoapReference reference{
      .lr = 0.02, .beta1 = 0.95, .beta2 = 0.9, .shampoo_beta = 0.8, .weight_decay = 0.01, .every = 3};
  const auto make = [&](const Parameter& p) {
    return std::make_unique<SOAP>(
        Groups{p}, SOAPOptions{.lr = 0.02, .beta2 = 0.9, .shampoo_beta = 0.8, .weight_decay = 0.01, .every = 3});
  };
  const Inputs inputs = recorded_inputs(0, 4, 4);
  CHECK(from_outside(reference, inputs, [&](std::size_t i) { return recorded()["optimizers"]["soap"][i]; }) <
        of_outside);
  CHECK(from_reference(reference, inputs, make) < of_float);
}

TEST_CASE("Prodigy: the reference equals the authors', f32 is close to the reference") {
  const auto check = [](const std::string& name, ProdigyReference reference, const ProdigyOptions& options) {
    CAPTURE(name);
    const auto joined = [](const nlohmann::json& lists) {
      std::vector<double> all;
      for (const nlohmann::json& list : lists) {
        const std::vector<double> part = values(list);
        all.insert(all.end(), part.begin(), part.end());
      }
      return all;
    };
    std::vector<double> p = joined(recorded()["p0"]);
    const auto n = static_cast<std::int64_t>(p.size());
    Parameter parameter(tensor({1, p.size(), p}).view({n}), Role::weight);
    Prodigy prodigy({parameter}, options);
    std::size_t next = 0;
    const auto after = recorded()["recorded"].get<std::vector<std::size_t>>();
    for (std::size_t step = 0; step < 10; ++step) {
      std::vector<double> g = joined(recorded()["grads"][0]);
      const std::vector<double> more = joined(recorded()["grads"][step]);
      for (std::size_t i = 0; i < g.size(); ++i) g[i] += more[i] / 8;
      reference.step(p, g);
      parameter.set_gradient(tensor({1, g.size(), g}).view({n}));
      prodigy.step();
      CHECK(distance(p, values(parameter)) < of_float);
      CHECK(std::abs(prodigy.d() / reference.d - 1.0) < of_float);
      if (step + 1 != after[next]) continue;
      nlohmann::json expected = recorded()["optimizers"][name][next++];
      CHECK(std::abs(reference.d / expected[0].get<double>() - 1.0) < of_outside);
      expected.erase(expected.begin());
      CHECK(distance(joined(expected), p) < of_outside);
    }
    CHECK(next == 5);
  };
  check("prodigy", {.d0 = 1e-3, .weight_decay = 0.01}, {.weight_decay = 0.01, .d0 = 1e-3});
  check("prodigy_growth",
        {.d0 = 1e-3, .d_coef = 16.0, .growth = 1.5, .bias_correction = true, .safeguard_warmup = true},
        {.d0 = 1e-3, .d_coef = 16.0, .growth = 1.5, .bias_correction = true, .safeguard_warmup = true});
}

namespace {

using Vector = std::vector<double>;

double rosenbrock(const Vector& x, Vector& g) {
  g.assign(x.size(), 0.0);
  double f = 0.0;
  for (std::size_t i = 0; i + 1 < x.size(); ++i) {
    const double rest = x[i + 1] - x[i] * x[i];
    f += 100.0 * rest * rest + (1.0 - x[i]) * (1.0 - x[i]);
    g[i] += -400.0 * x[i] * rest - 2.0 * (1.0 - x[i]);
    g[i + 1] += 200.0 * rest;
  }
  return f;
}

/// Logistic, with a penalty, on the rows of the first matrices of five gradients.
double regression(const Vector& x, Vector& g) {
  g.assign(4, 0.0);
  double f = 0.0, label = 1.0;
  for (std::size_t step = 0; step < 5; ++step) {
    const Vector rows = values(recorded()["grads"][step][0]);
    for (std::size_t i = 0; i < 6; ++i, label = -label) {
      double margin = 0.0;
      for (std::size_t j = 0; j < 4; ++j) margin += label * rows[4 * i + j] * x[j];
      f += std::log1p(std::exp(-margin)) / 30.0;
      for (std::size_t j = 0; j < 4; ++j) g[j] -= label * rows[4 * i + j] / (1.0 + std::exp(margin)) / 30.0;
    }
  }
  for (std::size_t j = 0; j < 4; ++j) {
    f += 0.05 * x[j] * x[j];
    g[j] += 0.1 * x[j];
  }
  return f;
}

}  // namespace

TEST_CASE("L-BFGS: the reference equals PyTorch's, f32 is close to the reference") {
  const auto check = [](const std::string& name, double (*f)(const Vector&, Vector&), Vector x) {
    CAPTURE(name);
    Parameter p(tensor({1, x.size(), x}).view({static_cast<std::int64_t>(x.size())}), Role::weight);
    LBFGS lbfgs({p}, {.iterations = 1, .evaluations = 100});
    const auto closure = [&] {
      Vector g;
      const double loss = f(values(p), g);
      p.set_gradient(tensor({1, g.size(), g}).view(p.shape()));
      return loss;
    };
    LbfgsReference reference{.f = f};
    const nlohmann::json& trajectory = recorded()["optimizers"][name];
    for (std::size_t step = 0; step < trajectory.size(); ++step) {
      CAPTURE(step);
      reference.step(x);
      lbfgs.step(closure);
      CHECK(distance(values(trajectory[step]), x) < of_outside);
      CHECK(distance(x, values(p)) < of_float);
    }
  };
  check("lbfgs_rosenbrock", rosenbrock, {-1.25, 1.0, -0.5, 0.75, 1.5, -1.0});
  check("lbfgs_regression", regression, {0.5, -1.0, 2.0, 1.5});
}
