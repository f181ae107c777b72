// Behaviour and errors of step().

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/optim/optim.hpp>

#include "tests/optim/near_internal.hpp"

using namespace temper;
using namespace temper::optim;

namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

Parameter make_parameter(const std::string& name, std::initializer_list<float> values) {
  return Parameter(from(values, {static_cast<std::int64_t>(values.size())}), Role::weight).named(name);
}

void set_gradient(Parameter p, std::initializer_list<float> gradient) { p.set_gradient(from(gradient, p.shape())); }

std::vector<float> values(const Parameter& p) {
  const auto span = p.value().values<float>();
  return {span.begin(), span.end()};
}

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const ValueError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("step applies the gradients and clears them") {
  Parameter p = make_parameter("p", {1.0f, 2.0f});
  SGD sgd({p}, {.lr = 0.5});
  set_gradient(p, {1.0f, -2.0f});
  const std::uint32_t version = p.value().version();
  const StepReport report = sgd.step();
  CHECK(report.applied);
  CHECK(report.k == 0);
  CHECK(report.grad_norm == near(std::sqrt(5.0)));
  CHECK(report.clip == 1.0);
  CHECK(sgd.k() == 1);
  CHECK(values(p) == std::vector{0.5f, 3.0f});
  CHECK_FALSE(p.gradient().defined());
  CHECK(p.value().version() > version);  // a tape that saved the value detects the change
}

TEST_CASE("a typical set of options compiles and works") {
  const Step total = 100, warm = total / 10;
  Parameter p = make_parameter("p", {1.0f});
  AdamW adamw(std::vector{p}, {.lr = 1e-3 * optim::warmup(warm).then(optim::linear_decay(total - warm)),
                               .weight_decay = 0.01,
                               .clip_norm = 1.0});
  CHECK(adamw.lr() == near(1e-4));
  CHECK(adamw.value("lr", 9) == near(1e-3));
  CHECK(adamw.value("lr", 100) == 0.0);
  CHECK(adamw.value("weight_decay", 50) == 0.01);
  CHECK(adamw.value("clip_norm", 50) == 1.0);
  Adam constant({p}, {.lr = 0.001});
  CHECK(constant.lr() == 0.001);
}

TEST_CASE("a parameter without a gradient is neither updated nor decayed, and counts its own updates") {
  Parameter p = make_parameter("p", {1.0f}), q = make_parameter("q", {1.0f}), fresh = make_parameter("r", {1.0f});
  AdamW both({p, q}, {.lr = 0.1, .weight_decay = 0.1});
  for (int i = 0; i < 3; ++i) {
    set_gradient(p, {0.5f});
    both.step();
  }
  CHECK(values(q) == std::vector{1.0f});
  set_gradient(q, {0.5f});
  CHECK(both.step().k == 3);
  AdamW alone({fresh}, {.lr = 0.1, .weight_decay = 0.1});
  set_gradient(fresh, {0.5f});
  alone.step();
  CHECK(values(q) == values(fresh));  // its first update, at k = 3
}

TEST_CASE("steps without gradients or parameters") {
  CHECK_THROWS_WITH_AS(AdamW({}, {.lr = 0.1}),
                       "AdamW: there is no parameter to update; does the model name its parts in members()?",
                       ValueError);
  Parameter p = make_parameter("p", {1.0f}), none(zeros({0, 3}), Role::weight);
  SGD sgd({p, none}, {.lr = 0.1});
  CHECK_FALSE(sgd.step({.require_gradient = false}).applied);
  CHECK(
      error_of([&] { sgd.step(); }) ==
      "SGD: step() found no gradient: none of its 2 parameters got one since the last step; was backward() called, and "
      "does the loss depend on them? (StepOptions{.require_gradient = false} allows it)");
  p.freeze();
  CHECK_THROWS_AS(sgd.step(), ValueError);
  none.freeze();
  CHECK_FALSE(sgd.step().applied);  // no gradients
  CHECK(sgd.k() == 0);
  p.unfreeze();
  none.unfreeze();
  none.set_gradient(zeros({0, 3}));
  CHECK(sgd.step().applied);
  CHECK_FALSE(none.gradient().defined());
  none.set_gradient(zeros({0, 3}));
  set_gradient(p, {1.0f});
  sgd.step();
  CHECK(values(p)[0] == near(0.9f));
}

TEST_CASE("a frozen parameter is not updated, and is updated again once unfrozen") {
  Parameter p = make_parameter("p", {1.0f}), q = make_parameter("q", {1.0f});
  SGD sgd({p, q}, {.lr = 0.5});
  p.freeze();
  set_gradient(p, {1.0f});
  set_gradient(q, {1.0f});
  sgd.step();
  CHECK(values(p)[0] == 1.0f);
  CHECK(values(q)[0] == 0.5f);
  p.unfreeze();
  set_gradient(p, {1.0f});
  sgd.step();
  CHECK(values(p)[0] == 0.5f);
}

TEST_CASE("divide_by and clip_norm") {
  Parameter p = make_parameter("p", {0.0f, 0.0f}), q = make_parameter("q", {0.0f});
  SGD sgd({p, q}, {.lr = 1.0, .clip_norm = 1.0});
  set_gradient(p, {6.0f, 0.0f});
  set_gradient(q, {8.0f});
  const StepReport report = sgd.step({.divide_by = 2.0});
  CHECK(report.grad_norm == near(5.0));
  CHECK(report.clip == near(0.2, 1e-6));
  CHECK(values(p)[0] == near(-0.6));
  CHECK(values(q)[0] == near(-0.8));
  set_gradient(p, {0.3f, 0.4f});
  CHECK(sgd.step().clip == 1.0);
  CHECK(values(p)[1] == near(-0.4));
}

TEST_CASE("the norm of huge gradients does not overflow") {
  Parameter p = make_parameter("p", {0.0f, 0.0f});
  SGD sgd({p}, {.lr = 1.0, .clip_norm = 1.0});
  set_gradient(p, {3e37f, -3e37f});
  CHECK(sgd.step().grad_norm == near(3e37 * std::sqrt(2.0)));
  CHECK(values(p)[0] == near(-std::sqrt(0.5)));
}

TEST_CASE("measure reports how far the parameters moved") {
  Parameter p(full({20000}, 2.0f), Role::weight);
  SGD sgd({p}, {.lr = 0.1});
  p.set_gradient(full({20000}, 1.0f));
  CHECK(sgd.step().update_ratio == -1.0);
  p.set_gradient(full({20000}, 1.0f));
  CHECK(sgd.step({.measure = true}).update_ratio == near(0.1 / 1.9));
}

TEST_CASE("a non-finite gradient is detected before anything is written") {
  for (const float bad : {not_a_number, std::numeric_limits<float>::infinity()}) {
    CAPTURE(bad);
    {  // NonFinite::raise
      Parameter a = make_parameter("layer.a", {1.0f, 1.0f}), b = make_parameter("layer.b", {1.0f, 1.0f});
      AdamW adamw({a, b}, {.lr = 0.1});
      set_gradient(a, {1.0f, 1.0f});
      set_gradient(b, {1.0f, bad});
      CHECK(error_of([&] { adamw.step(); }) ==
            "AdamW: the gradient of 'layer.b' is not finite at k = 0; nothing was updated");
      CHECK(values(a) == std::vector{1.0f, 1.0f});
      CHECK(adamw.k() == 0);
      CHECK(b.gradient().defined());  // kept for inspection
      adamw.discard_gradients();
      // The failed step changed no state.
      Parameter c = make_parameter("c", {1.0f, 1.0f});
      AdamW other({c}, {.lr = 0.1});
      set_gradient(a, {1.0f, 2.0f});
      set_gradient(c, {1.0f, 2.0f});
      adamw.step();
      other.step();
      CHECK(values(a) == values(c));
    }
    {  // NonFinite::skip
      Parameter a = make_parameter("layer.a", {1.0f, 1.0f}), b = make_parameter("layer.b", {1.0f, 1.0f});
      AdamW adamw({a, b}, {.lr = 0.1, .nonfinite = NonFinite::skip});
      set_gradient(a, {1.0f, 1.0f});
      set_gradient(b, {1.0f, bad});
      const StepReport report = adamw.step();
      CHECK_FALSE(report.applied);
      CHECK(report.bad == "layer.b");
      CHECK(adamw.k() == 0);
      CHECK(values(a) == std::vector{1.0f, 1.0f});
      CHECK_FALSE(a.gradient().defined());
    }
    {  // NonFinite::zero
      Parameter a = make_parameter("layer.a", {1.0f, 1.0f}), b = make_parameter("layer.b", {1.0f, 1.0f});
      SGD sgd({a, b}, {.lr = 0.5, .clip_norm = 100.0, .nonfinite = NonFinite::zero});
      set_gradient(a, {1.0f, 1.0f});
      const Tensor shared = from({1.0f, bad}, {2});
      b.set_gradient(shared);
      const StepReport report = sgd.step();
      CHECK(report.applied);
      CHECK(report.bad == "layer.b");
      CHECK(report.grad_norm == near(std::sqrt(3.0)));
      CHECK(values(b) == std::vector{0.5f, 1.0f});
      CHECK_FALSE(std::isfinite(shared.values<float>()[1]));  // the caller's tensor is unchanged
    }
    {  // NonFinite::unchecked
      Parameter a = make_parameter("layer.a", {1.0f, 1.0f}), b = make_parameter("layer.b", {1.0f, 1.0f});
      SGD sgd({a, b}, {.lr = 0.5, .nonfinite = NonFinite::unchecked});
      set_gradient(b, {1.0f, bad});
      CHECK(sgd.step().grad_norm == -1.0);
      CHECK(values(b)[0] == 0.5f);
      CHECK_FALSE(std::isfinite(values(b)[1]));
      SGD clipping({a, b}, {.lr = 0.5, .clip_norm = 1.0, .nonfinite = NonFinite::unchecked});
      set_gradient(a, {1.0f, bad});
      CHECK(error_of([&] { clipping.step(); }) != "no error");
    }
  }
}

TEST_CASE("groups have their own settings") {
  Parameter p = make_parameter("p", {1.0f}), q = make_parameter("q", {1.0f});
  SGDW sgd({{.parameters = {p}}, {.parameters = {q}, .lr_scale = 0.5, .set = {{"weight_decay", 0.0}}}},
           {.lr = 0.5, .weight_decay = 0.5});
  CHECK(sgd.lr(0) == 0.5);
  CHECK(sgd.lr(1) == 0.25);
  CHECK(sgd.value("weight_decay", 0, 1) == 0.0);
  set_gradient(p, {1.0f});
  set_gradient(q, {1.0f});
  sgd.step();
  CHECK(values(p)[0] == 0.25f);
  CHECK(values(q)[0] == 0.75f);
}

TEST_CASE("a group may have its own clip_norm, which applies to the norm of its gradients") {
  Parameter p = make_parameter("p", {0.0f}), q = make_parameter("q", {0.0f}), r = make_parameter("r", {0.0f});
  SGD sgd(
      {{.parameters = {p}, .set = {{"clip_norm", 2.0 * linear_decay(4)}}}, {.parameters = {q}}, {.parameters = {r}}},
      {.lr = 1.0, .clip_norm = 1.0});
  const auto clipped = [&] {
    set_gradient(p, {10.0f});
    set_gradient(q, {3.0f});
    set_gradient(r, {4.0f});
    return sgd.step();
  };
  const StepReport report = clipped();
  CHECK(report.grad_norm == near(std::sqrt(125.0)));
  CHECK(report.clip == near(0.2));
  CHECK(values(p)[0] == near(-2.0));
  CHECK(values(q)[0] == near(-0.6));
  CHECK(values(r)[0] == near(-0.8));
  clipped();
  CHECK(values(p)[0] == near(-3.5));  // its schedule
  CHECK(sgd.value("clip_norm", 2, 0) == 1.0);
  CHECK(sgd.value("clip_norm", 2, 1) == 1.0);
  // Only the group's clip_norm.
  Parameter x = make_parameter("x", {0.0f}), y = make_parameter("y", {0.0f});
  SGD one({{.parameters = {x}, .set = {{"clip_norm", 1.0}}}, {.parameters = {y}}}, {.lr = 1.0});
  set_gradient(x, {5.0f});
  set_gradient(y, {5.0f});
  one.step();
  CHECK(values(x)[0] == near(-1.0));
  CHECK(values(y)[0] == -5.0f);
  CHECK(error_of([&] {
          SGD({{.parameters = {x}, .set = {{"clip_norm", 0.0}}}}, {.lr = 1.0});
        }) == "SGD: clip_norm is 0 at k = 0, expected a positive number");
}

TEST_CASE("a group may have momentum if the optimizer's is 0, and only the group takes memory for it") {
  // The group's updates are the same as with momentum for all.
  const auto end = [](const auto& make) {
    Parameter p = make_parameter("p", {1.0f, -2.0f}), q = make_parameter("q", {3.0f});
    const auto optimizer = make(p, q);
    for (int i = 0; i < 4; ++i) {
      set_gradient(p, {1.0f, 0.5f * static_cast<float>(i)});
      set_gradient(q, {1.0f});
      optimizer->step();
    }
    CHECK(optimizer->state().tensors.contains(
        "p/" + std::string(optimizer->name() == "Adafactor" ? "exp_avg" : "momentum_buffer")));
    return values(p);
  };
  const auto check = [&]<class T, class Options>(std::type_identity<T>, Options options, const char* what,
                                                 Schedule Options::*number) {
    CAPTURE(what);
    Options all = options;
    all.*number = 0.9;
    const auto expected = end([&](const Parameter& p, const Parameter& q) {
      return std::make_unique<T>(Groups{p, q}, all);
    });
    const auto plain = [&] {
      Parameter p = make_parameter("p", {1.0f, -2.0f});
      T optimizer({p}, options);
      for (int i = 0; i < 4; ++i) {
        set_gradient(p, {1.0f, 0.5f * static_cast<float>(i)});
        optimizer.step();
      }
      return values(p);
    }();
    CHECK(expected != plain);
    const auto got = end([&](const Parameter& p, const Parameter& q) {
      auto optimizer =
          std::make_unique<T>(Groups{{.parameters = {p}, .set = {{what, 0.9}}}, {.parameters = {q}}}, options);
      return optimizer;
    });
    CHECK(got == expected);
    // The reverse: one group without momentum and without memory for it.
    Parameter p = make_parameter("p", {1.0f, -2.0f}), q = make_parameter("q", {3.0f});
    T without({{.parameters = {p}, .set = {{what, 0.0}}}, {.parameters = {q}}}, all);
    for (int i = 0; i < 4; ++i) {
      set_gradient(p, {1.0f, 0.5f * static_cast<float>(i)});
      set_gradient(q, {1.0f});
      without.step();
    }
    CHECK(values(p) == plain);
    for (const auto& [name, tensor] : without.state().tensors) {
      CHECK(name != "p/momentum_buffer");
      CHECK(name != "p/exp_avg");
    }
  };
  check(std::type_identity<SGD>(), SGDOptions{.lr = 0.1}, "momentum", &SGDOptions::momentum);
  check(std::type_identity<SGDW>(), SGDWOptions{.lr = 0.1, .rounding = Rounding::compensated}, "momentum",
        &SGDWOptions::momentum);
  check(std::type_identity<RMSprop>(), RMSpropOptions{.lr = 0.1}, "momentum", &RMSpropOptions::momentum);
  check(std::type_identity<RMSprop>(), RMSpropOptions{.lr = 0.1, .centered = true}, "momentum",
        &RMSpropOptions::momentum);
  check(std::type_identity<Adafactor>(), AdafactorOptions{.lr = 0.1}, "beta1", &AdafactorOptions::beta1);
}

TEST_CASE("independent decay does not depend on the learning rate") {
  Parameter p = make_parameter("p", {1.0f});
  AdamW adamw({p}, {.lr = 0.0, .weight_decay = 0.25 * linear_decay(2), .decay = Decay::independent});
  set_gradient(p, {1.0f});
  adamw.step();
  CHECK(values(p)[0] == 0.75f);
  set_gradient(p, {1.0f});
  adamw.step();
  CHECK(values(p)[0] == 0.75f * 0.875f);
  CHECK(normalized_decay(0.05, {.batch_size = 100, .samples = 10000, .epochs = 4}) == near(0.0025));
}

TEST_CASE("small decays are not lost") {
  // lr * weight_decay = 2e-7 per step; a factor 1 - 2e-7 in f32 is 1 - 1.79e-7.
  const auto shrink = [](Rounding rounding) {
    Parameter p = make_parameter("p", {1.5f});
    SGDW sgd({p}, {.lr = 2e-5, .weight_decay = 0.01, .rounding = rounding});
    for (int i = 0; i < 10000; ++i) {
      set_gradient(p, {0.0f});
      sgd.step();
    }
    return -std::log(values(p)[0] / 1.5f) / (10000 * 2e-7);
  };
  CHECK(shrink(Rounding::compensated) == near(1.0, 0.01));
  CHECK(std::abs(shrink(Rounding::torch_compat) - 1.0) > 0.05);
}

TEST_CASE("by default the effective decay is within 1% of the configured one, in PyTorch's order it is not") {
  constexpr std::int64_t n = 4096;
  const Tensor start = uniform({n}, 1.0f, 2.0f);
  std::vector<Tensor> gradients;
  for (int i = 0; i < 50; ++i) gradients.push_back(normal({n}));
  const auto kept = [&](double lr, Rounding rounding) {
    const auto end = [&](double weight_decay) {
      Parameter p(start.clone(), Role::weight);
      AdamW adamw({p}, {.lr = lr, .weight_decay = weight_decay, .rounding = rounding});
      for (std::size_t k = 0; k < 1000; ++k) {
        p.set_gradient(gradients[k % gradients.size()]);
        adamw.step();
      }
      return p;
    };
    const Parameter with = end(0.01), without = end(0.0);
    double done = 0.0, asked = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
      done += static_cast<double>(without.value().values<float>()[i]) - with.value().values<float>()[i];
      asked += (1.0 - std::pow(1.0 - lr * 0.01, 1000)) * start.values<float>()[i];
    }
    return done / asked;
  };
  for (const double lr : {1e-3, 5e-5, 5e-6}) CHECK(kept(lr, Rounding::once) == near(1.0, 0.01));
  CHECK(std::abs(kept(5e-6, Rounding::torch_compat) - 1.0) > 0.05);
}

TEST_CASE("AdamWR: the normalized decay with restarts, by hand") {
  // Two cycles of 2 and 4 epochs with 10 batches each: a cycle's decay depends on its length.
  const auto decay = [](double epochs) {
    return normalized_decay(0.05, {.batch_size = 10, .samples = 100, .epochs = epochs});
  };
  const Schedule shape = cosine_restarts(20, {.grow = 2});
  const Schedule weight_decay = constant(decay(2), 20).then(decay(4)) * shape;
  Parameter p = make_parameter("p", {1.0f});
  AdamW adamw({p}, {.lr = 1e-3 * shape, .weight_decay = weight_decay, .decay = Decay::independent});
  double expected = 1.0;
  for (int k = 0; k < 50; ++k) {
    const double cycle = k < 20 ? 20 : 40, at = k < 20 ? k : k - 20;
    expected *= 1.0 - 0.05 * std::sqrt(10.0 / (100.0 * cycle / 10)) * 0.5 * (1 + std::cos(M_PI * at / cycle));
    set_gradient(p, {0.0f});
    adamw.step();
  }
  CHECK(values(p)[0] == near(expected, 1e-5));
}

TEST_CASE("scheduled betas: the bias corrections are running products") {
  Parameter p = make_parameter("p", {0.0f});
  Adam adam({p}, {.lr = 0.1, .beta1 = constant(0.5, 1).then(0.9), .beta2 = constant(0.9, 1).then(0.99), .eps = 0.0});
  double m = 0, v = 0, x = 0, b1 = 1, b2 = 1;
  for (int k = 0; k < 5; ++k) {
    const double g = 0.5 + k, beta1 = k == 0 ? 0.5 : 0.9, beta2 = k == 0 ? 0.9 : 0.99;
    m = beta1 * m + (1 - beta1) * g;
    v = beta2 * v + (1 - beta2) * g * g;
    b1 *= beta1;
    b2 *= beta2;
    x -= 0.1 * (m / (1 - b1)) / std::sqrt(v / (1 - b2));
    set_gradient(p, {static_cast<float>(g)});
    adam.step();
    CHECK(values(p)[0] == near(x, 1e-6));
  }
}

TEST_CASE("errors of the constructor name the parameter") {
  const Parameter p = make_parameter("layer.weight", {1.0f}), q = make_parameter("q", {1.0f});
  CHECK(error_of([&] { AdamW({p, q, p}, {.lr = 0.1}); }) == "AdamW: parameter 'layer.weight' is twice in group 0");
  CHECK(error_of([&] {
          AdamW({{.parameters = {p}, .name = "decayed"}, {.parameters = {q, p}}}, {.lr = 0.1});
        }) == "AdamW: parameter 'layer.weight' is in group 'decayed' and in group 1");
  CHECK(error_of([&] { SGD({Parameter()}, {.lr = 0.1}); }) == "SGD: parameter 0 of group 0 is undefined");
  CHECK(error_of([&] {
          Adam({{.parameters = {p}, .set = {{"weight_decay", 0.0}}}}, {.lr = 0.1});
        }) ==
        "Adam: group 0 sets 'weight_decay', which Adam does not have; it has lr, beta1, beta2, eps, l2, clip_norm");
  CHECK(error_of([&] { SGD({p}, {.lr = 0.1, .nesterov = true}); }) ==
        "SGD: nesterov needs a momentum and no dampening, got momentum 0 and dampening 0");
  CHECK(error_of([&] {
          SGD({{.parameters = {p}, .set = {{"dampening", 0.5}}}}, {.lr = 0.1, .momentum = 0.9, .nesterov = true});
        }) == "SGD: nesterov needs a momentum and no dampening, and a group sets one");
}

TEST_CASE("a value out of range is an error before anything changes") {
  Parameter p = make_parameter("p", {1.0f});
  // The constructor checks the first values, in every group.
  const auto refused = [&](const AdamOptions& options) { return error_of([&] { Adam({p}, options); }); };
  CHECK(refused({.lr = -0.1}) == "Adam: lr is -0.1, expected at least 0");
  CHECK(refused({.lr = 0.1, .beta1 = 1.0}) == "Adam: beta1 is 1, expected at least 0 and less than 1");
  CHECK(refused({.clip_norm = 0.0}) == "Adam: clip_norm is 0 at k = 0, expected a positive number");
  CHECK(refused({.lr = custom("bad", [](Step) { return std::nan(""); })}) ==
        "Adam: lr is nan at k = 0, expected at least 0; it is custom(\"bad\")");
  CHECK(error_of([&] {
          Adam({{.parameters = {p}, .set = {{"beta2", 1.5}}}}, {});
        }) == "Adam: beta2 is 1.5, expected at least 0 and less than 1");
  Adam later({p}, {.lr = 0.1 - 0.1 * linear(1, {.end = 2.0})});
  set_gradient(p, {1.0f});
  later.step();
  const float before = values(p)[0];
  set_gradient(p, {1.0f});
  CHECK(error_of([&] { later.step(); }) ==
        "Adam: lr is -0.1 at k = 1, expected at least 0; it is 0.1 - 0.1 * linear(1, {.end = 2})");
  CHECK(values(p)[0] == before);
  CHECK(later.k() == 1);
  SGD sgd({p}, {.lr = 0.1});
  CHECK(error_of([&] { sgd.step({.divide_by = 0.0}); }) == "SGD: divide_by is 0, expected a positive number");
  CHECK(error_of([&] { (void)sgd.value("beta1", 0); }) == "SGD: there is no 'beta1'");
  CHECK(error_of([&] { (void)sgd.lr(1); }) == "SGD: there is no group 1, only 1");
}
