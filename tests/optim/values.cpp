// Parameters that get another value after the optimizer was created, and optimizers that are moved.

#include <doctest/doctest.h>

#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <temper/autograd/ops/cast.hpp>
#include <temper/core/errors.hpp>
#include <temper/optim/optim.hpp>

#include "tests/optim/near_internal.hpp"

using namespace temper;
using namespace temper::optim;

namespace {

Parameter make_parameter(const std::string& name, const Tensor& value) {
  return Parameter(value, Role::weight).named(name);
}

float first(const Tensor& x) {
  return x.dtype() == Dtype::f32 ? x.values<float>()[0] : to(x, Dtype::f32).values<float>()[0];
}

void step(Optimizer& optimizer, Parameter p, float gradient) {
  p.set_gradient(full(p.shape(), gradient));
  optimizer.step();
}

}  // namespace

TEST_CASE("a step after set_value updates the new value, and does not write to the old value's memory") {
  for (const bool averaged : {false, true}) {
    CAPTURE(averaged);
    Parameter p = make_parameter("p", full({6}, 1.0f));
    SGD sgd({p}, {.lr = 1.0, .momentum = 0.5});
    if (averaged) sgd.average();
    step(sgd, p, 1.0f);
    p.set_value(full({6}, 100.0f));
    const Tensor other = full({6}, 7.0f);  // reuses the memory of the old value
    step(sgd, p, 1.0f);
    for (const float x : other.values<float>()) CHECK(x == 7.0f);
    for (const float x : p.value().values<float>()) CHECK(x == 98.5f);  // the momentum was kept
    step(sgd, p, 0.0f);
    CHECK(first(p) == 97.75f);
  }
}

TEST_CASE("after set_value on a bf16 parameter, the master has the new value and the moments are kept") {
  Parameter p = make_parameter("p", to(full({6}, 1.0f), Dtype::bf16));
  SGD sgd({p}, {.lr = 1.0});
  step(sgd, p, 0.25f);
  CHECK(first(p.value()) == 0.75f);
  p.set_value(to(full({6}, 32.0f), Dtype::bf16));
  const Tensor other = full({3}, 7.0f);
  step(sgd, p, 0.5f);
  CHECK(first(p.value()) == 31.5f);
  for (const float x : other.values<float>()) CHECK(x == 7.0f);
}

TEST_CASE("a parameter of another dtype than before is refused before anything changes") {
  Parameter a = make_parameter("a", full({3}, 1.0f)), b = make_parameter("layer.b", full({3}, 1.0f));
  AdamW adamw({a, b}, {.lr = 0.1});
  step(adamw, a, 1.0f);
  const float before = first(a);
  b.set_value(to(b.value(), Dtype::bf16));
  a.set_gradient(ones({3}));
  b.set_gradient(ones({3}));
  const char* refusal =
      "AdamW: parameter 'layer.b' is bf16 now, and was f32 when the optimizer was made; make the optimizer after that";
  CHECK_THROWS_WITH_AS(adamw.step(), refusal, ValueError);
  CHECK(first(a) == before);
  CHECK(a.gradient().defined());
  CHECK(adamw.k() == 1);
  CHECK_THROWS_WITH_AS(adamw.state(), refusal, ValueError);
  CHECK_THROWS_WITH_AS(adamw.keep_bf16(), refusal, ValueError);
  b.set_value(ones({3}));
  CHECK(adamw.step().applied);

  Parameter narrow = make_parameter("n", to(ones({3}), Dtype::bf16));
  SGD sgd({narrow}, {.lr = 0.1});
  narrow.set_value(ones({3}));
  narrow.set_gradient(ones({3}));
  CHECK_THROWS_WITH_AS(
      sgd.step(),
      "SGD: parameter 'n' is f32 now, and was bf16 when the optimizer was made; make the optimizer after that",
      ValueError);
}

TEST_CASE("optimizers can be moved and kept in a vector") {
  static_assert(std::is_nothrow_move_constructible_v<AdamW> && std::is_nothrow_move_assignable_v<Muon>);
  static_assert(!std::is_copy_constructible_v<SGD>);
  static_assert(!std::is_assignable_v<Optimizer&, SGD&&>);  // would slice, as the Optimizer may not be an SGD
  Parameter p = make_parameter("p", full({9000}, 1.0f)), q = make_parameter("q", full({2}, 1.0f));
  std::vector<SGD> all;
  for (const Parameter& each : {p, q}) all.emplace_back(Groups{each}, SGDOptions{.lr = 0.5});
  step(all[0], p, 1.0f);
  step(all[1], q, 1.0f);
  all.erase(all.begin());
  CHECK(all[0].k() == 1);
  step(all[0], q, 1.0f);
  CHECK(first(p) == 0.5f);
  CHECK(first(q) == 0.0f);

  Muon muon({p}, {}), other({q}, {});
  other = std::move(muon);
  step(other, p, 1.0f);
  CHECK_THROWS_WITH_AS(muon.step(), "optimizer: it was moved to another, which has the parameters now", ValueError);
}

template <class T>
concept takes_a_rate = requires(const AdamW& adamw, T rate) {
  adamw.lr(rate);
};

TEST_CASE("lr(1e-4) does not compile: it would convert to lr(0), the rate of group 0") {
  static_assert(!takes_a_rate<double> && !takes_a_rate<float>);
  static_assert(takes_a_rate<int> && takes_a_rate<std::size_t>);
}
