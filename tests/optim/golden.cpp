// Compares optimizers in f32 with trajectories recorded from PyTorch in float64 and from the papers' formulas in numpy.

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <temper/optim/optim.hpp>

#include "tests/optim/golden_internal.hpp"
#include "tests/optim/numbers_internal.hpp"

using namespace temper;
using namespace temper::optim;

namespace {

using Make = std::function<std::unique_ptr<Optimizer>(const Parameter&, Rounding)>;

template <class T, class Options>
Make make(Options options) {
  return [options](const Parameter& p, Rounding rounding) mutable {
    if constexpr (requires { options.rounding; }) options.rounding = rounding;
    return std::make_unique<T>(Groups{p}, options);
  };
}

void reproduce(const std::string& name, const Make& make) {
  const nlohmann::json& golden = optim_golden();
  for (const Rounding rounding : {Rounding::once, Rounding::torch_compat, Rounding::compensated}) {
    CAPTURE(name);
    CAPTURE(static_cast<int>(rounding));
    Parameter p(from(golden["p0"].get<std::vector<float>>(), {4}), Role::weight);
    const auto optimizer = make(p, rounding);
    for (std::size_t step = 0; step < golden["grads"].size(); ++step) {
      p.set_gradient(from(golden["grads"][step].get<std::vector<float>>(), {4}));
      CHECK(optimizer->step().applied);
      const auto expected = golden["optimizers"][name]["trajectory"][step].get<std::vector<double>>();
      for (std::size_t i = 0; i < 4; ++i) {
        CAPTURE(step);
        CAPTURE(i);
        CHECK(std::abs(p.value().values<float>()[i] - expected[i]) <= 1e-6);
      }
    }
  }
}

}  // namespace

TEST_CASE("SGD") {
  reproduce("sgd", make<SGD>(SGDOptions{.lr = 0.1}));
  reproduce("sgd_l2", make<SGD>(SGDOptions{.lr = 0.1, .l2 = 0.01}));
  reproduce("sgd_mom", make<SGD>(SGDOptions{.lr = 0.1, .momentum = 0.9}));
  reproduce("sgd_mom_damp", make<SGD>(SGDOptions{.lr = 0.1, .momentum = 0.9, .dampening = 0.5}));
  reproduce("sgd_nesterov_l2", make<SGD>(SGDOptions{.lr = 0.1, .momentum = 0.9, .nesterov = true, .l2 = 0.01}));
  reproduce("sgd_maximize", make<SGD>(SGDOptions{.lr = 0.1, .momentum = 0.9, .l2 = 0.01, .maximize = true}));
  // Without momentum, L2 and decoupled decay are the same.
  reproduce("sgd_l2", make<SGDW>(SGDWOptions{.lr = 0.1, .weight_decay = 0.01}));
}

TEST_CASE("Adam") {
  reproduce("adam", make<Adam>(AdamOptions{.lr = 0.01}));
  reproduce("adam_l2", make<Adam>(AdamOptions{.lr = 0.01, .l2 = 0.1}));
  reproduce("adam_amsgrad", make<Adam>(AdamOptions{.lr = 0.01, .amsgrad = true}));
  reproduce("adam_maximize", make<Adam>(AdamOptions{.lr = 0.01, .maximize = true}));
}

TEST_CASE("AdamW") {
  reproduce("adamw", make<AdamW>(AdamWOptions{.lr = 0.01, .weight_decay = 0.1}));
  reproduce("adamw_wd0", make<AdamW>(AdamWOptions{.lr = 0.01, .weight_decay = 0.0}));
  reproduce("adamw_amsgrad", make<AdamW>(AdamWOptions{.lr = 0.01, .weight_decay = 0.1, .amsgrad = true}));
}

TEST_CASE("NAdam, RAdam, Adamax, RMSprop, Adagrad") {
  reproduce("nadam", make<NAdam>(NAdamOptions{.lr = 0.01, .torch_1_13 = true}));
  reproduce("radam", make<RAdam>(RAdamOptions{.lr = 0.01}));
  reproduce("adamax", make<Adamax>(AdamaxOptions{.lr = 0.01}));
  reproduce("rmsprop", make<RMSprop>(RMSpropOptions{.lr = 0.01}));
  reproduce("adagrad", make<Adagrad>(AdagradOptions{.lr = 0.01}));
}

TEST_CASE("TorchCompat stays within 1e-6 of PyTorch's f32 for 1000 steps") {
  const auto reproduce_long = [](const std::string& name, auto make) {
    CAPTURE(name);
    Numbers numbers;
    const auto drawn = [&numbers] {
      Tensor x = empty({40});
      for (float& value : x.mutable_values<float>()) value = numbers();
      return x;
    };
    Parameter p(drawn(), Role::weight);
    const auto optimizer = make(p);
    for (int step = 0; step < 1000; ++step) {
      p.set_gradient(drawn());
      optimizer->step();
    }
    const auto expected = optim_golden()["long"][name].get<std::vector<double>>();
    for (std::size_t i = 0; i < expected.size(); ++i) {
      CAPTURE(i);
      CHECK(std::abs(p.value().values<float>()[i] - expected[i]) <= 1e-6);
    }
  };
  const auto torch = Rounding::torch_compat;
  const auto with = [&]<class T>(std::type_identity<T>, const auto& options) {
    return [options](const Parameter& p) { return std::make_unique<T>(Groups{p}, options); };
  };
  reproduce_long("adam_l2", with(std::type_identity<Adam>(), AdamOptions{.l2 = 0.01, .rounding = torch}));
  reproduce_long("adamw", with(std::type_identity<AdamW>(), AdamWOptions{.weight_decay = 0.1, .rounding = torch}));
  reproduce_long("adamw_amsgrad", with(std::type_identity<AdamW>(),
                                       AdamWOptions{.weight_decay = 0.1, .amsgrad = true, .rounding = torch}));
  reproduce_long("sgd_nesterov_l2",
                 with(std::type_identity<SGD>(),
                      SGDOptions{.lr = 1e-3, .momentum = 0.9, .nesterov = true, .l2 = 0.01, .rounding = torch}));
}
