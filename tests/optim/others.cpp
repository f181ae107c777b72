// Lion, NAdam and LAMB compared with their formulas in double; a user's own optimizer.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/core/parallel.hpp>
#include <temper/optim/optim.hpp>

#include "tests/larger.hpp"
#include "tests/optim/near_internal.hpp"

using namespace temper;
using namespace temper::optim;

namespace {

double gradient(std::int64_t i, int step) { return std::sin(0.7 * static_cast<double>(i) + step) + 0.1 * (step % 3); }

/// Compares some steps of `optimizer` with `reference`, which gets the parameters and gradients of each step.
template <class Reference>
void compare(const std::vector<Parameter>& parameters, Optimizer& optimizer, Reference reference) {
  std::vector<std::vector<double>> p;
  for (const Parameter& parameter : parameters) {
    const auto values = parameter.value().values<float>();
    p.emplace_back(values.begin(), values.end());
  }
  for (int step = 0; step < 8; ++step) {
    for (std::size_t j = 0; j < parameters.size(); ++j) {
      Tensor g = empty(parameters[j].shape());
      std::vector<double> exact(p[j].size());
      for (std::size_t i = 0; i < exact.size(); ++i) {
        g.mutable_data<float>()[i] = static_cast<float>(gradient(static_cast<std::int64_t>(i), step));
        exact[i] = g.data<float>()[i];
      }
      Parameter(parameters[j]).set_gradient(g);
      reference(j, step + 1, p[j], exact);
    }
    optimizer.step();
    double worst = 0.0;
    for (std::size_t j = 0; j < parameters.size(); ++j) {
      for (std::size_t i = 0; i < p[j].size(); ++i) {
        worst = temper_test::larger(worst, std::abs(parameters[j].value().values<float>()[i] - p[j][i]));
      }
    }
    CHECK(worst < 1e-5);
  }
}

std::vector<Parameter> two() {
  std::vector<Parameter> result;
  for (const std::int64_t n : {20000, 37}) {
    Tensor x = empty({n});
    for (std::int64_t i = 0; i < n; ++i)
      x.mutable_data<float>()[i] = static_cast<float>(1.5 + std::cos(static_cast<double>(i)));
    result.emplace_back(x, Role::weight);
  }
  return result;
}

}  // namespace

TEST_CASE("Lion") {
  const std::vector<Parameter> parameters = two();
  Lion lion(parameters, {.lr = 0.01, .weight_decay = 0.1});
  std::vector<std::vector<double>> m = {std::vector<double>(20000), std::vector<double>(37)};
  compare(parameters, lion, [&](std::size_t j, int, std::vector<double>& p, const std::vector<double>& g) {
    for (std::size_t i = 0; i < p.size(); ++i) {
      const double c = 0.9 * m[j][i] + 0.1 * g[i];
      p[i] -= 0.01 * ((c > 0) - (c < 0) + 0.1 * p[i]);
      m[j][i] = 0.99 * m[j][i] + 0.01 * g[i];
    }
  });
}

TEST_CASE("NAdam as published") {
  const std::vector<Parameter> parameters = two();
  NAdam nadam(parameters, {.lr = 0.01});
  std::vector<std::vector<double>> m = {std::vector<double>(20000), std::vector<double>(37)}, v = m;
  std::vector<double> product = {1.0, 1.0};
  compare(parameters, nadam, [&](std::size_t j, int t, std::vector<double>& p, const std::vector<double>& g) {
    const auto momentum = [](int step) { return 0.9 * (1 - 0.5 * std::pow(0.96, step * 0.004)); };
    product[j] *= momentum(t);
    for (std::size_t i = 0; i < p.size(); ++i) {
      m[j][i] = 0.9 * m[j][i] + 0.1 * g[i];
      v[j][i] = 0.999 * v[j][i] + 0.001 * g[i] * g[i];
      const double ahead =
          momentum(t + 1) * m[j][i] / (1 - product[j] * momentum(t + 1)) + (1 - momentum(t)) * g[i] / (1 - product[j]);
      p[i] -= 0.01 * ahead / (std::sqrt(v[j][i] / (1 - std::pow(0.999, t))) + 1e-8);
    }
  });
}

TEST_CASE("LAMB: every tensor moves by lr times its norm") {
  const std::vector<Parameter> parameters = two();
  LAMB lamb(parameters, {.lr = 0.01, .weight_decay = 0.1});
  std::vector<std::vector<double>> m = {std::vector<double>(20000), std::vector<double>(37)}, v = m;
  compare(parameters, lamb, [&](std::size_t j, int t, std::vector<double>& p, const std::vector<double>& g) {
    std::vector<double> change(p.size());
    double size = 0, length = 0;
    for (std::size_t i = 0; i < p.size(); ++i) {
      m[j][i] = 0.9 * m[j][i] + 0.1 * g[i];
      v[j][i] = 0.999 * v[j][i] + 0.001 * g[i] * g[i];
      change[i] =
          m[j][i] / (1 - std::pow(0.9, t)) / (std::sqrt(v[j][i] / (1 - std::pow(0.999, t))) + 1e-6) + 0.1 * p[i];
      size += p[i] * p[i];
      length += change[i] * change[i];
    }
    for (std::size_t i = 0; i < p.size(); ++i) p[i] -= 0.01 * std::sqrt(size / length) * change[i];
  });
  Parameter zero(zeros({3}), Role::weight);
  LAMB from_zero({zero}, {.lr = 0.5});
  zero.set_gradient(ones({3}));
  CHECK(from_zero.step({.measure = true}).applied);
  CHECK(zero.value().values<float>()[0] == near(-0.5));  // a norm of 0 gives a trust ratio of 1
}

namespace {

/// A complete optimizer: signSGD with momentum. Source: Bernstein et al., "signSGD" (2018).
class SignSGD final : public Optimizer {
 public:
  SignSGD(Groups groups, const Schedule& rate)
      : Optimizer(std::move(groups), {.name = "SignSGD",
                                      .hypers = {{"lr", rate}, {"momentum", 0.9, Hyper::Range::fraction}},
                                      .states = {"momentum_buffer"}}) {}

 private:
  void update(const Piece& piece) const override {
    const auto scale = static_cast<float>(piece.now.scale);
    const auto rate = static_cast<float>(piece.now.hyper[0]);
    const auto mu = static_cast<float>(piece.now.hyper[1]);
    float* buffer = piece.state(0);
    for (std::int64_t i = 0; i < piece.n; ++i) {
      buffer[i] = mu * buffer[i] + scale * piece.g[i];
      piece.p[i] -= rate * static_cast<float>((buffer[i] > 0.0f) - (buffer[i] < 0.0f));
    }
  }
};

}  // namespace

TEST_CASE("a user's own optimizer is one class") {
  const std::vector<Parameter> parameters = two();
  SignSGD optimizer({{.parameters = parameters, .set = {{"momentum", 0.5}}}}, 0.125);
  std::vector<std::vector<double>> buffer = {std::vector<double>(20000), std::vector<double>(37)};
  compare(parameters, optimizer, [&](std::size_t j, int, std::vector<double>& p, const std::vector<double>& g) {
    for (std::size_t i = 0; i < p.size(); ++i) {
      buffer[j][i] = 0.5 * buffer[j][i] + g[i];
      p[i] -= 0.125 * ((buffer[j][i] > 0) - (buffer[j][i] < 0));
    }
  });
  CHECK(optimizer.value("momentum", 0) == 0.5);
}

namespace {

class Thrower final : public Optimizer {
 public:
  Thrower(Groups groups, int phases)
      : Optimizer(std::move(groups), {.name = "Thrower", .hypers = {{"lr", 0.1}}, .phases = phases}) {}

 private:
  void update(const Piece& piece) const override {
    if (piece.phase == 0 && piece.begin > 0) throw ValueError("no");
  }
};

}  // namespace

TEST_CASE("an update that throws, in whatever phase and thread, ends the step with that exception") {
  const int before = threads();
  set_threads(2);
  for (const int phases : {1, 3}) {
    Parameter p(zeros({100000}), Role::weight);
    Thrower thrower({p}, phases);
    for (int i = 0; i < 3; ++i) {
      p.set_gradient(ones({100000}));
      CHECK_THROWS_WITH_AS(thrower.step(), "no", ValueError);
      CHECK(thrower.k() == 0);
    }
  }
  set_threads(before);
}
