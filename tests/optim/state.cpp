// Resuming, the journal, and what does not fit.

#include <temper/optim/state.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/optim/optim.hpp>

#include "tests/optim/near_internal.hpp"

using namespace temper;
using namespace temper::optim;

namespace {

std::vector<Parameter> model() {
  return {Parameter(full({5, 3}, 1.0f), Role::weight).named("fc.weight"),
          Parameter(full({5}, 1.0f), Role::bias).named("fc.bias")};
}

/// The gradient of step k. The bias rests now and then.
void give(std::vector<Parameter>& parameters, Step k) {
  parameters[0].set_gradient(full({5, 3}, 0.1f + static_cast<float>(k % 7)));
  if (k % 3 != 1) parameters[1].set_gradient(full({5}, 0.2f - static_cast<float>(k % 5)));
}

void train(Optimizer& optimizer, std::vector<Parameter>& parameters, Step steps) {
  for (Step i = 0; i < steps; ++i) {
    give(parameters, optimizer.k());
    optimizer.step();
  }
}

OptimizerState copy(OptimizerState state) {
  for (auto& [name, tensor] : state.tensors) tensor = tensor.clone();
  return state;
}

bool same_bits(const std::vector<Parameter>& a, const std::vector<Parameter>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto x = a[i].value().values<float>(), y = b[i].value().values<float>();
    if (std::memcmp(x.data(), y.data(), x.size_bytes()) != 0) return false;
  }
  return true;
}

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const ValueError& error) {
    return error.what();
  }
  return "no error";
}

const AdamWOptions options = {
    .lr = 1e-2 * warmup(5).then(linear_decay(95)), .beta1 = constant(0.5, 3).then(0.9), .clip_norm = 1.0};

}  // namespace

TEST_CASE("a run resumed at k equals the uninterrupted one, bit for bit") {
  const auto check = [](const std::function<std::unique_ptr<Optimizer>(const std::vector<Parameter>&)>& make) {
    for (const Step at : {0, 1, 7, 20}) {
      std::vector<Parameter> whole = model(), first = model(), second = model();
      const auto a = make(whole), b = make(first), c = make(second);
      train(*a, whole, 7);
      a->scale_lr(0.5, "by hand");
      train(*a, whole, 23);

      train(*b, first, std::min<Step>(at, 7));
      if (at >= 7) b->scale_lr(0.5, "by hand");
      train(*b, first, at - std::min<Step>(at, 7));
      c->load(copy(b->state()));
      for (std::size_t i = 0; i < first.size(); ++i) Tensor(second[i].value()).copy_from(first[i].value());
      CHECK(c->k() == at);
      if (at < 7) {
        train(*c, second, 7 - at);
        c->scale_lr(0.5, "by hand");
      }
      train(*c, second, 30 - c->k());
      CHECK(same_bits(whole, second));
      CHECK(c->lr() == a->lr());
      CHECK(c->journal().front().reason == "by hand");
    }
  };
  check([](const auto& p) { return std::make_unique<AdamW>(p, options); });
  for (const Moments moments : {Moments::bf16, Moments::bits8}) {
    check([moments](const auto& p) {
      AdamWOptions narrow = options;
      narrow.moments = moments;
      auto adamw = std::make_unique<AdamW>(p, narrow);
      adamw->average({.decay = 0.9});
      return adamw;
    });
  }
  check([](const auto& p) {
    return std::make_unique<SGD>(p, SGDOptions{.lr = 0.1, .momentum = 0.9, .rounding = Rounding::compensated});
  });
}

TEST_CASE("the journal multiplies the schedule from its step on") {
  std::vector<Parameter> parameters = model();
  SGD sgd(parameters, {.lr = 0.1 * linear_decay(100)});
  train(sgd, parameters, 10);
  sgd.scale_lr(0.5);
  sgd.scale_lr(0.5);
  CHECK(sgd.value("lr", 9) == near(0.091));
  CHECK(sgd.value("lr", 10) == near(0.09 / 4));
  CHECK(error_of([&] { sgd.scale_lr(0.0); }) == "SGD: lr is to be scaled by 0, expected a positive number");
}

TEST_CASE("Plateau lowers the rate after patience, rests, and remembers across a resume") {
  std::vector<Parameter> parameters = model(), others = model();
  SGD sgd(parameters, {.lr = 1.0}), again(others, {.lr = 1.0});
  const PlateauOptions how{.factor = 0.5, .patience = 2, .cooldown = 1, .least = 0.2};
  Plateau plateau(sgd, how);
  CHECK_FALSE(plateau.observe(1.0));
  CHECK_FALSE(plateau.observe(0.5));
  CHECK_FALSE(plateau.observe(0.5));
  CHECK_FALSE(plateau.observe(0.6));
  again.load(copy(sgd.state()));
  Plateau resumed(again, how);
  for (const auto& [p, o] : {std::pair(&plateau, &sgd), std::pair(&resumed, &again)}) {
    CHECK(p->observe(0.6));
    CHECK(o->lr() == 0.5);
    for (int i = 0; i < 3; ++i) CHECK_FALSE(p->observe(0.6));  // one rests, two wait
    CHECK(p->observe(0.6));
    CHECK(o->lr() == 0.25);
    for (int i = 0; i < 20; ++i) CHECK_FALSE(p->observe(0.6));  // 0.125 would be below the least
    CHECK(o->journal().size() == 2);
  }
  CHECK(sgd.journal()[0].reason == "plateau: no improvement on 0.5");
  Plateau up(sgd, {.patience = 0, .larger_is_better = true}, "accuracy");
  CHECK_FALSE(up.observe(0.5));
  CHECK_FALSE(up.observe(0.6));
  CHECK(up.observe(0.6));
  CHECK_FALSE(Plateau(sgd, {.patience = 5}, "nan").observe(NAN));
  CHECK(error_of([&] { Plateau(sgd, {.factor = 1.0}); }) == "Plateau: factor is 1, expected between 0 and 1");
}

TEST_CASE("one error lists all that does not fit, and nothing is loaded") {
  std::vector<Parameter> parameters = model(), others = model();
  AdamW from(parameters, options);
  train(from, parameters, 10);
  OptimizerState state = copy(from.state());
  CHECK(state.texts["group 0/lr"] == "0.01 * warmup(5).then(linear_decay(95))");
  CHECK(state.tensors.at("fc.weight/exp_avg").shape() == Shape{5, 3});

  state.tensors["fc.old/exp_avg"] = zeros({2});
  state.tensors["fc.bias/exp_avg"] = zeros({4});
  state.tensors.erase("fc.weight/exp_avg_sq");
  AdamWOptions changed = options;
  changed.lr = 1e-3;
  AdamW to(others, changed);
  CHECK(error_of([&] { to.load(state); }) ==
        "AdamW: the state does not fit, nothing was loaded:\n"
        "  missing: fc.weight/exp_avg_sq f32 [5, 3]\n"
        "  fc.bias/exp_avg: got f32 [4], expected f32 [5]\n"
        "  extra: fc.old/exp_avg f32 [2]\n"
        "  group 0/lr was '0.01 * warmup(5).then(linear_decay(95))', is '0.001': at k = 10 it goes from "
        "0.009473684210526316 to 0.001; LoadOptions{.accept_changes = true} takes it");
  CHECK(to.k() == 0);
  CHECK(to.state().tensors.size() == 2);  // counters alone

  to.load(copy(from.state()), {.accept_changes = true});
  CHECK(to.k() == 10);
  CHECK(to.lr() == 1e-3);

  SGD sgd(others, {.lr = 0.1});
  CHECK(error_of([&] {
          sgd.load(from.state(), {.accept_changes = true});
        }).find("the state is of 'AdamW', this is SGD") != std::string::npos);
  state = copy(from.state());
  state.texts["k"] = "-3";
  CHECK(error_of([&] { to.load(state); }).find("k is '-3', expected a number of steps") != std::string::npos);
  state = copy(from.state());
  state.texts["journal"] = "5 zero\n";
  CHECK(error_of([&] { to.load(state); }).find("the journal is") != std::string::npos);
}

TEST_CASE("parameters that are new may be missing when said so") {
  std::vector<Parameter> parameters = model(), others = model();
  AdamW from({parameters[0]}, options);
  parameters.pop_back();
  parameters[0].set_gradient(full({5, 3}, 1.0f));
  from.step();
  AdamW to(others, options);
  CHECK(error_of([&] { to.load(from.state()); }).find("missing: fc.bias/counters i64 [3]") != std::string::npos);
  to.load(from.state(), {.allow_missing = "*.bias"});
  CHECK(to.k() == 1);
}

TEST_CASE("states need names, one each") {
  const Parameter a = Parameter(zeros({1}), Role::weight), b = Parameter(zeros({1}), Role::weight);
  SGD unnamed({a}, {.lr = 0.1});
  CHECK(error_of([&] { unnamed.state(); }) ==
        "SGD: parameter number 0 of group 0 has no name to save its state under; Parameter::named gives it one");
  SGD twins({a.named("w"), b.named("w")}, {.lr = 0.1});
  CHECK(error_of([&] { twins.state(); }) == "SGD: two parameters are named 'w', so their states cannot be told apart");
}
