// SAM: the gradient at perturbed weights.

#include <temper/train/sharpness.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include <temper/temper.hpp>

using namespace temper;

namespace {

std::vector<float> values(const Tensor& x) {
  const auto span = x.values<float>();
  return {span.begin(), span.end()};
}

}  // namespace

TEST_CASE("one step of SAM, and of ASAM, by hand") {
  for (const bool adaptive : {false, true}) {
    CAPTURE(adaptive);
    manual_seed(3);
    const nn::Linear model(3, 2);
    const Tensor x = normal({4, 3}), y = normal({4, 2});
    const std::vector<Parameter> both = {model.weight, model.bias};
    const auto pass = [&] {
      Tape tape;
      tape.backward(mse_loss(model(x), y));
    };
    const auto gradients = [&] {
      pass();
      const std::vector<std::vector<float>> g = {values(both[0].gradient()), values(both[1].gradient())};
      discard_gradients(both);
      return g;
    };
    const std::vector<std::vector<float>> w = {values(both[0].value()), values(both[1].value())};
    const auto g = gradients();
    double squares = 0.0;
    for (std::size_t i = 0; i < 2; ++i) {
      for (std::size_t j = 0; j < g[i].size(); ++j) {
        const double scaled = static_cast<double>(g[i][j]) * (adaptive ? std::abs(static_cast<double>(w[i][j])) : 1.0);
        squares += scaled * scaled;
      }
    }
    std::vector<std::vector<float>> moved = w;
    for (std::size_t i = 0; i < 2; ++i) {
      for (std::size_t j = 0; j < g[i].size(); ++j) {
        const double size = adaptive ? static_cast<double>(w[i][j]) * static_cast<double>(w[i][j]) : 1.0;
        moved[i][j] += static_cast<float>(0.1 / std::sqrt(squares) * size * static_cast<double>(g[i][j]));
      }
      Tensor(both[i].value()).copy_from(from(moved[i], both[i].shape()));
    }
    const auto uphill = gradients();
    for (std::size_t i = 0; i < 2; ++i) Tensor(both[i].value()).copy_from(from(w[i], both[i].shape()));

    optim::SGD sgd(both, {.lr = 0.5});
    sharpness_aware_step(model, sgd, pass, {.rho = 0.1, .adaptive = adaptive});
    CHECK(sgd.k() == 1);
    for (std::size_t i = 0; i < 2; ++i) {
      for (std::size_t j = 0; j < w[i].size(); ++j) {
        CHECK(both[i].value().values<float>()[j] == doctest::Approx(w[i][j] - 0.5f * uphill[i][j]).epsilon(1e-5));
      }
    }
    CHECK(uphill != g);
  }
}

TEST_CASE("both passes of SAM have the same dropout masks, and update batch statistics once") {
  manual_seed(4);
  const nn::Sequential model(nn::Conv2d(1, 4, {.kernel = 3}), nn::BatchNorm2d(4), nn::ReLU(), nn::Dropout(0.5),
                             nn::Flatten(), nn::Linear(4 * 4 * 4, 2));
  const Tensor images = normal({3, 6, 6, 1}), labels = indices({0, 1, 0});
  optim::SGD sgd(model.parameters(), {.lr = 0.1});
  const auto running = [&] {
    std::vector<float> all;
    for (const nn::Buffer& buffer : model.buffers()) {
      for (const float x : values(buffer.tensor)) all.push_back(x);
    }
    return all;
  };
  std::vector<double> losses;
  std::vector<std::vector<float>> statistics;
  sharpness_aware_step(model, sgd,
                       [&] {
                         Tape tape;
                         const Tensor loss = cross_entropy(model(images), labels);
                         losses.push_back(static_cast<double>(loss.item()));
                         tape.backward(loss);
                         statistics.push_back(running());
                       },
                       {.rho = 1e-6});
  // With such a small perturbation, only other masks would change the loss.
  CHECK(losses[1] == doctest::Approx(losses[0]).epsilon(1e-4));
  CHECK(statistics[1] != statistics[0]);
  CHECK(running() == statistics[0]);
}

TEST_CASE("a pass of SAM that throws restores the weights") {
  const nn::Linear model(2, 2);
  const std::vector<float> before = values(model.weight.value());
  optim::SGD sgd(model.parameters(), {.lr = 0.1});
  int calls = 0;
  const auto pass = [&] {
    if (++calls == 2) throw ValueError("no");
    Tape tape;
    tape.backward(sum(model(ones({1, 2}))));
  };
  CHECK_THROWS_WITH_AS(sharpness_aware_step(model, sgd, pass), "no", ValueError);
  CHECK(values(model.weight.value()) == before);
  CHECK_THROWS_WITH_AS(sharpness_aware_step(model, sgd, pass, {.rho = 0.0}),
                       "sharpness_aware_step: rho is 0, expected a positive number", ValueError);
}
