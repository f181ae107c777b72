// L-BFGS on functions with known minima, and resumed.

#include <temper/optim/lbfgs.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include <temper/core/errors.hpp>

#include "optim/lbfgs_internal.hpp"
#include "tests/optim/near_internal.hpp"

using namespace temper;
using namespace temper::optim;

namespace {

/// Rosenbrock's function in several dimensions, with its minimum 0 at 1.
double rosenbrock(const float* x, std::int64_t n, float* g) {
  double f = 0.0;
  for (std::int64_t i = 0; i < n; ++i) g[i] = 0.0f;
  for (std::int64_t i = 0; i + 1 < n; ++i) {
    const double a = x[i], b = static_cast<double>(x[i + 1]) - a * a;
    f += 100.0 * b * b + (1.0 - a) * (1.0 - a);
    g[i] += static_cast<float>(-400.0 * a * b - 2.0 * (1.0 - a));
    g[i + 1] += static_cast<float>(200.0 * b);
  }
  return f;
}

LBFGS::Closure closure_of(const Parameter& parameter) {
  return [p = parameter]() mutable {
    Tensor g = empty(p.shape());
    const double f = rosenbrock(p.value().data<float>(), p.shape()[0], g.mutable_data<float>());
    p.set_gradient(g);
    return f;
  };
}

}  // namespace

TEST_CASE("L-BFGS finds the minimum of Rosenbrock's function") {
  for (const std::int64_t n : {2, 10}) {
    Parameter p(full({n}, -1.2f), Role::weight);
    LBFGS lbfgs({p}, {.iterations = 200, .evaluations = 400});
    const LBFGS::Report report = lbfgs.step(closure_of(p));
    CHECK(report.after < 1e-9);
    CHECK(report.evaluations < 200);
    for (const float x : p.value().values<float>()) CHECK(x == near(1.0, 1e-4));
    CHECK_FALSE(p.gradient().defined());
  }
}

TEST_CASE("on a quadratic, the stored pairs give the Newton direction") {
  // f = x^T A x / 2 with A = diag(1, 10, 100), after steps along each axis.
  const std::vector<double> a = {1.0, 10.0, 100.0};
  std::deque<optim::detail::Pair> pairs;
  for (std::size_t i = 0; i < 3; ++i) {
    optim::detail::Pair pair{{0, 0, 0}, {0, 0, 0}};
    pair.s[i] = 0.5;
    pair.y[i] = 0.5 * a[i];
    pairs.push_back(pair);
  }
  const optim::detail::Vector way = optim::detail::direction(pairs, {3.0, 20.0, -100.0});
  CHECK(way[0] == near(-3.0, 1e-12));
  CHECK(way[1] == near(-2.0, 1e-12));
  CHECK(way[2] == near(1.0, 1e-12));
}

TEST_CASE("the line search ends at a point that satisfies the strong Wolfe conditions") {
  using optim::detail::Trial;
  // Functions of one number with a far minimum, a near one, and one in front of a steep rise.
  const auto check = [](auto f, auto slope, double first) {
    CAPTURE(first);
    const auto at = [&](double t) { return Trial{.t = t, .f = f(t), .slope = slope(t), .gradient = {}}; };
    const Trial start = at(0.0), end = optim::detail::search(start, first, at, 1e-4, 0.9, 40);
    CHECK(end.t > 0.0);
    CHECK(end.f <= start.f + 1e-4 * end.t * start.slope);
    CHECK(std::abs(end.slope) <= -0.9 * start.slope);
  };
  for (const double first : {1e-3, 1.0, 1e3}) {
    check([](double t) { return (t - 5) * (t - 5); }, [](double t) { return 2 * (t - 5); }, first);
    check([](double t) { return -t / (t * t + 2); }, [](double t) { return (t * t - 2) / ((t * t + 2) * (t * t + 2)); },
          first);
    check([](double t) { return t < 10 ? -t + 0.1 * t * t : INFINITY; }, [](double t) { return -1 + 0.2 * t; }, first);
  }
}

TEST_CASE("a resumed L-BFGS equals the uninterrupted one, bit for bit") {
  Parameter p = Parameter(full({4}, -1.2f), Role::weight).named("p");
  LBFGS whole({p}, {.iterations = 3});
  whole.step(closure_of(p));
  Parameter q = Parameter(p.value().clone(), Role::weight).named("p");
  LBFGS resumed({q}, {.iterations = 3});
  resumed.load(whole.state());
  whole.step(closure_of(p));
  resumed.step(closure_of(q));
  for (std::size_t i = 0; i < 4; ++i) CHECK(p.value().values<float>()[i] == q.value().values<float>()[i]);
  OptimizerState state = whole.state();
  state.tensors.erase("p/steps");
  CHECK_THROWS_WITH_AS(resumed.load(state), "LBFGS: the state has no p/steps", ValueError);
}

TEST_CASE("L-BFGS throws for invalid use and does not change the weights") {
  Parameter p = Parameter(full({2}, 3.0f), Role::weight).named("p");
  CHECK_THROWS_WITH_AS(LBFGS(std::vector<Parameter>()), "LBFGS: there is no parameter to update", ValueError);
  CHECK_THROWS_WITH_AS(LBFGS({p, p}), "LBFGS: parameter 'p' is there twice", ValueError);
  CHECK_THROWS_AS(LBFGS({p}, {.c1 = 0.95}), ValueError);
  LBFGS lbfgs({p});
  CHECK_THROWS_WITH_AS(lbfgs.step([] { return 1.0; }),
                       "LBFGS: parameter 'p' got no gradient; does the loss depend on it?", ValueError);
  const LBFGS::Closure broken = [&]() -> double {
    p.set_gradient(full({2}, NAN));
    return NAN;
  };
  CHECK_THROWS_AS(lbfgs.step(broken), ValueError);
  CHECK(p.value().values<float>()[0] == 3.0f);
}
