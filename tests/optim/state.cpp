// Resuming, the journal of rate changes, and states that do not fit.

#include <temper/optim/state.hpp>

#include <doctest/doctest.h>

#include <clocale>
#include <cmath>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

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

/// Sets the gradients of step k. The bias has none in some steps.
void set_gradients(std::vector<Parameter>& parameters, Step k) {
  parameters[0].set_gradient(full({5, 3}, 0.1f + static_cast<float>(k % 7)));
  if (k % 3 != 1) parameters[1].set_gradient(full({5}, 0.2f - static_cast<float>(k % 5)));
}

void train(Optimizer& optimizer, std::vector<Parameter>& parameters, Step steps) {
  for (Step i = 0; i < steps; ++i) {
    set_gradients(parameters, optimizer.k());
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

TEST_CASE("Plateau lowers the rate after `patience`, has a cooldown, and is restored when resumed") {
  std::vector<Parameter> parameters = model(), others = model();
  SGD sgd(parameters, {.lr = 1.0}), again(others, {.lr = 1.0});
  const PlateauOptions how{.factor = 0.5, .patience = 2, .cooldown = 1, .min_lr = 0.25};
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
    for (int i = 0; i < 3; ++i) CHECK_FALSE(p->observe(0.6));  // one of cooldown, two of patience
    CHECK(p->observe(0.6));
    CHECK(o->lr() == 0.25);
    for (int i = 0; i < 20; ++i) CHECK_FALSE(p->observe(0.6));  // it is min_lr already
    CHECK(o->journal().size() == 2);
  }
  CHECK(sgd.journal()[0].reason == "plateau: no improvement on 0.5");
  Plateau up(sgd, {.patience = 0, .larger_is_better = true}, "accuracy");
  CHECK_FALSE(up.observe(0.5));
  CHECK_FALSE(up.observe(0.6));
  CHECK(up.observe(0.6));
  CHECK_FALSE(Plateau(sgd, {.patience = 5}, "nan").observe(NAN));
  CHECK(error_of([&] { Plateau(sgd, {.factor = 1.0}); }) == "Plateau: factor is 1, expected between 0 and 1");
  {  // With a decimal comma, if the machine has such a locale.
    const std::string before = std::setlocale(LC_ALL, nullptr);
    for (const char* comma : {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE.utf8", "fr_FR.utf8"}) {
      if (std::setlocale(LC_ALL, comma) == nullptr) continue;
      Plateau there(sgd, {.patience = 5}, "comma");
      CHECK_FALSE(there.observe(0.75));
      CHECK_FALSE(there.observe(0.5));
      CHECK(sgd.note("comma") == "0.5 0 0");
      CHECK(parse("1.5e-3 * cosine(10)").text() == "0.0015 * cosine(10)");
      break;
    }
    std::setlocale(LC_ALL, before.c_str());
  }
  sgd.set_note("spoilt", "0.5 0");
  CHECK(error_of([&] { Plateau(sgd, {}, "spoilt").observe(1.0); }) ==
        "Plateau: the note 'spoilt' is '0.5 0', expected three numbers");
}

namespace {

/// The rate before each observation.
std::vector<double> plateau_rates(double lr, const PlateauOptions& how, const std::vector<double>& metrics) {
  std::vector<Parameter> parameters = model();
  SGD sgd(parameters, {.lr = lr});
  Plateau plateau(sgd, how);
  std::vector<double> rates;
  for (const double metric : metrics) {
    rates.push_back(sgd.lr());
    plateau.observe(metric);
  }
  return rates;
}

}  // namespace

TEST_CASE("Plateau's min_lr and absolute threshold are those of PyTorch's ReduceLROnPlateau") {
  // Recorded from torch.optim.lr_scheduler.ReduceLROnPlateau 2.15 by tests/golden/record_newer.py.
  const nlohmann::json recorded =
      nlohmann::json::parse(std::ifstream(TEMPER_TEST_DIR "/golden/optim_newer.json"))["plateau"];
  REQUIRE(recorded.size() >= 6);
  for (const auto& item : recorded.items()) {
    const std::string& name = item.key();
    const nlohmann::json& one = item.value();
    CAPTURE(name);
    const nlohmann::json& args = one["args"];
    const PlateauOptions how{.factor = args["factor"],
                             .patience = args["patience"],
                             .threshold = args["threshold"],
                             .mode = args["threshold_mode"] == "abs" ? Threshold::absolute : Threshold::relative,
                             .cooldown = args["cooldown"],
                             .larger_is_better = args["mode"] == "max",
                             .min_lr = args["min_lr"]};
    const auto expected = one["rates"].get<std::vector<double>>();
    const std::vector<double> got = plateau_rates(one["lr"], how, one["metrics"].get<std::vector<double>>());
    REQUIRE(got.size() == expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      CAPTURE(i);
      CHECK(got[i] == near(expected[i], 1e-12));
    }
  }
}

TEST_CASE("one error lists everything that does not fit, and nothing is loaded") {
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
  CHECK(to.state().tensors.size() == 2);  // only counters

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

TEST_CASE("new parameters may be missing in the state if allowed") {
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

TEST_CASE("a parameter that moved to another group is an error") {
  std::vector<Parameter> parameters = model(), others = model();
  const auto two = [](const Parameter& first, const Parameter& second) {
    return Groups{{.parameters = {first}, .name = "decay"}, {.parameters = {second}, .name = "no decay"}};
  };
  AdamW from(two(parameters[0], parameters[1]), options), to(two(others[1], others[0]), options);
  train(from, parameters, 3);
  const std::string moved =
      "AdamW: the state does not fit, nothing was loaded:\n"
      "  'fc.bias' was in group 1 'no decay', is in group 0 'decay'; LoadOptions{.accept_changes = true} takes it\n"
      "  'fc.weight' was in group 0 'decay', is in group 1 'no decay'; LoadOptions{.accept_changes = true} takes it";
  CHECK(error_of([&] { to.load(copy(from.state())); }) == moved);
  CHECK(to.k() == 0);
  AdamW renamed({{.parameters = {others[0]}, .name = "weights"}, {.parameters = {others[1]}, .name = "no decay"}},
                options);
  CHECK(error_of([&] { renamed.load(copy(from.state())); }).find("group 0/name was 'decay', is 'weights'") !=
        std::string::npos);
  to.load(copy(from.state()), {.accept_changes = true});
  CHECK(to.k() == 3);
}

TEST_CASE("accepted changes may add and remove averages, a momentum, compensated rounding") {
  std::vector<Parameter> parameters = model();
  const auto fresh = [] { return model(); };
  SGD plain(parameters, {.lr = 0.1});
  train(plain, parameters, 4);
  std::vector<Parameter> others = fresh();
  SGD more(others, {.lr = 0.1, .momentum = 0.9, .rounding = Rounding::compensated});
  more.average({.decay = 0.9});
  const std::string refused = error_of([&] { more.load(copy(plain.state())); });
  for (const char* part :
       {"missing: fc.weight/momentum_buffer", "missing: fc.weight/lost", "missing: fc.weight/average"}) {
    CAPTURE(part);
    CHECK(refused.find(part) != std::string::npos);
  }
  more.load(copy(plain.state()), {.accept_changes = true});
  CHECK(more.k() == 4);
  CHECK(error_of([&] { more.swap_averages(); }) == "SGD: there are no averages of the weights yet");
  train(more, others, 2);
  CHECK(more.averaged(others[0]).values<float>()[0] != 0.0f);

  std::vector<Parameter> again = fresh();
  SGD less(again, {.lr = 0.1});
  CHECK(error_of([&] { less.load(copy(more.state())); }).find("extra: fc.weight/average") != std::string::npos);
  less.load(copy(more.state()), {.accept_changes = true});
  CHECK(less.k() == 6);
  train(less, again, 1);
  // Tensors that do not depend on a changed setting must not be missing.
  OptimizerState damaged = [&] {
    AdamW adamw(parameters, {});
    train(adamw, parameters, 2);
    return copy(adamw.state());
  }();
  damaged.tensors.erase("fc.weight/exp_avg_sq");
  AdamW adamw(again, {});
  CHECK(error_of([&] { adamw.load(damaged, {.accept_changes = true}); }).find("missing: fc.weight/exp_avg_sq") !=
        std::string::npos);
}

TEST_CASE("an optimizer can start with moments of another program") {
  // A run, and the same one continued in the middle by an optimizer that gets only the moments.
  std::vector<Parameter> whole = model(), second = model();
  AdamW a(whole, options);
  train(a, whole, 6);
  std::map<std::string, ParameterStart> given;
  const OptimizerState state = copy(a.state());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    const std::string& name = whole[i].name();
    given[name] = {.updates = i == 0 ? 6 : 4,
                   .tensors = {{"exp_avg", state.tensors.at(name + "/exp_avg")},
                               {"exp_avg_sq", state.tensors.at(name + "/exp_avg_sq")}}};
    second[i].set_value(whole[i].value().clone());
  }
  AdamWOptions constant_betas = options;
  AdamW b(second, constant_betas);
  b.start_from(6, given);
  CHECK(b.k() == 6);
  train(a, whole, 10);
  train(b, second, 10);
  for (std::size_t j = 0; j < 15; ++j)
    CHECK(whole[0].value().values<float>()[j] == second[0].value().values<float>()[j]);

  // Without correction: m / (sqrt(v) + eps) from the first step on.
  Parameter p(full({1}, 1.0f), Role::weight);
  Adam adam({p.named("p")}, {.lr = 0.1, .eps = 0.0});
  adam.start_from(1, {{"p",
                       {.updates = 1,
                        .tensors = {{"exp_avg", full({1}, 2.0f)}, {"exp_avg_sq", full({1}, 4.0f)}},
                        .bias_correction = false}}});
  p.set_gradient(full({1}, 3.0f));
  adam.step();
  CHECK(p.value().values<float>()[0] == near(1.0 - 0.1 * (0.9 * 2 + 0.1 * 3) / std::sqrt(0.999 * 4 + 0.001 * 9)));

  given["fc.bias"].tensors.erase("exp_avg");
  given["fc.bias"].tensors["momentum"] = zeros({5});
  given["fc.weight"].tensors["exp_avg"] = zeros({2});
  given["fc.weight"].updates = 7;
  given["old"] = {};
  CHECK(error_of([&] { b.start_from(6, given); }) ==
        "AdamW: cannot start from this, nothing was changed:\n"
        "  fc.weight: 7 updates, expected 0 to k, which is 6\n"
        "  missing: fc.bias/exp_avg f32 [5]\n"
        "  fc.bias: got exp_avg_sq, momentum after 4 updates; AdamW keeps exp_avg, exp_avg_sq\n"
        "  'old' is no parameter of this optimizer");
  CHECK(b.k() == 16);
}

TEST_CASE("parameters need distinct names to have a state") {
  const Parameter a = Parameter(zeros({1}), Role::weight), b = Parameter(zeros({1}), Role::weight);
  SGD unnamed({a}, {.lr = 0.1});
  CHECK(error_of([&] { unnamed.state(); }) ==
        "SGD: parameter number 0 of group 0 has no name to save its state under; Parameter::named gives it one");
  SGD twins({a.named("w"), b.named("w")}, {.lr = 0.1});
  CHECK(error_of([&] { twins.state(); }) == "SGD: two parameters are named 'w', so their states cannot be told apart");
}
