#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include <temper/models/cartpole/actor_critic.hpp>
#include <temper/models/cartpole/environment.hpp>
#include <temper/temper.hpp>

#include "tests/data/files.hpp"
#include "tests/models/directional.hpp"

using namespace temper;
using models::ActorCritic;
using models::CartPole;
using models::Experience;
using temper_test::error_of;

namespace {

CartPole cart_at(double position, double speed, double angle, double spin) {
  CartPole cart;
  cart.position = position;
  cart.speed = speed;
  cart.angle = angle;
  cart.spin = spin;
  return cart;
}

Tensor bools(std::initializer_list<bool> values, const Shape& shape) {
  return from(std::span<const bool>(values.begin(), values.size()), shape);
}

}  // namespace

TEST_CASE("a cart moves as in Gymnasium's CartPole-v1") {
  CartPole cart = cart_at(0.01, -0.02, 0.03, 0.04);
  const auto check_state = [&](double position, double speed, double angle, double spin) {
    CHECK(cart.position == doctest::Approx(position).epsilon(1e-12));
    CHECK(cart.speed == doctest::Approx(speed).epsilon(1e-12));
    CHECK(cart.angle == doctest::Approx(angle).epsilon(1e-12));
    CHECK(cart.spin == doctest::Approx(spin).epsilon(1e-12));
  };
  // Recorded from Gymnasium.
  const std::int64_t actions[] = {1, 0, 0, 1, 1, 1, 0, 1};
  for (int i = 0; i < 8; ++i) {
    CHECK(!cart.step(actions[i]).over());
    if (i == 0) check_state(0.0096, 0.17467919574755525, 0.0308, -0.2430687179600081);
    if (i == 3) check_state(0.008349148515064714, -0.021626799199488206, 0.03432039706715644, 0.0759116989474441);
    if (i == 7) check_state(0.022168385080656248, 0.36682408600495897, 0.01829729102425976, -0.4700713747851109);
  }
  CHECK(cart.steps == 8);
  cart = cart_at(0.01, -0.02, 0.03, 0.04);
  int steps = 1;
  while (!cart.step(1).over()) ++steps;
  CHECK(steps == 10);
  CHECK(cart.angle == doctest::Approx(-0.22356918).epsilon(1e-7));
}

TEST_CASE("an episode ends at the bounds, and is cut off after 500 steps") {
  CHECK(cart_at(2.39, 1, 0, 0).step(1).fell);
  CHECK(!cart_at(2.37, 1, 0, 0).step(1).fell);
  CHECK(cart_at(0, 0, 0.2, 1).step(1).fell);
  CHECK(cart_at(0, 0, -0.2, -1).step(0).fell);
  CHECK(!cart_at(0, 0, 0.18, 1).step(1).fell);
  CartPole cart;
  cart.steps = 498;
  CHECK(!cart.step(1).over());
  const CartPole::Outcome last = cart.step(0);
  CHECK(last.cut_off);
  CHECK(!last.fell);
  cart.reset({0, 0.5, 1, 0.25});
  CHECK(cart.steps == 0);
  CHECK(cart.position == -0.05);
  CHECK(cart.speed == 0);
  CHECK(cart.angle == 0.05);
  CHECK(cart.spin == -0.025);
  CHECK(error_of([&] { cart.step(2); }) == "CartPole: action 2, expected 0 (left) or 1 (right)");
}

TEST_CASE("advantages are discounted sums of surprises that stop where episodes end") {
  // Two environments; the second one's episode ends with its second step.
  const Tensor rewards = from({1, 2, 3, 4, 5, 6}, {3, 2}), values = from({0.5, 1, 1.5, 2, 2.5, 3}, {3, 2});
  const Tensor over = bools({false, false, false, true, false, false}, {3, 2}), next = from({7, 8}, {2});
  const auto [advantages, returns] =
      models::advantages_of(rewards, values, over, next, {.discount = 0.5, .lambda = 0.5});
  const double a2 = 5 + 0.5 * 7 - 2.5, a1 = 3 + 0.5 * 2.5 - 1.5 + 0.25 * a2, a0 = 1 + 0.5 * 1.5 - 0.5 + 0.25 * a1;
  const double b2 = 6 + 0.5 * 8 - 3, b1 = 4 - 2, b0 = 2 + 0.5 * 2 - 1 + 0.25 * b1;
  const std::vector<double> expected = {a0, b0, a1, b1, a2, b2};
  for (std::size_t i = 0; i < 6; ++i) {
    CHECK(advantages.values<float>()[i] == doctest::Approx(expected[i]));
    CHECK(returns.values<float>()[i] == doctest::Approx(expected[i] + 0.5 * static_cast<double>(i + 1)));
  }
  CHECK(error_of([&] { models::advantages_of(rewards, values, over, zeros({3})); }) ==
        "advantages_of: next [3], expected [2]");
}

TEST_CASE("the loss of actor and critic is PPO's, and has the gradients that differences show") {
  manual_seed(9);
  const ActorCritic model({.width = 8});
  const std::int64_t n = 6;
  const Tensor states = normal({n, 4}), logits = model.logits(states), values = model.values(states);
  const Tensor actions = from(std::vector<std::int64_t>{0, 1, 1, 0, 1, 0}, {n});
  const Tensor log_probs = from({-0.3, -1.2, -0.7, -0.6, -0.69, -0.9}, {n});
  const Tensor advantages = from({1, -2, 3, 0.5, -1, 2}, {n}), returns = from({1, 2, 3, 4, 5, 6}, {n});
  const Experience experience{states, actions, log_probs, advantages, returns};

  double mean_gain = 0, squares = 0, actor = 0, critic = 0, entropy = 0;
  for (std::size_t i = 0; i < 6; ++i) mean_gain += static_cast<double>(advantages.values<float>()[i]) / 6;
  for (std::size_t i = 0; i < 6; ++i) squares += std::pow(advantages.values<float>()[i] - mean_gain, 2) / 6;
  for (std::size_t i = 0; i < 6; ++i) {
    const double a = logits.values<float>()[2 * i], b = logits.values<float>()[2 * i + 1];
    const double p[2] = {std::exp(a) / (std::exp(a) + std::exp(b)), std::exp(b) / (std::exp(a) + std::exp(b))};
    const double now = p[actions.values<std::int64_t>()[i]];
    const double ratio = now / std::exp(static_cast<double>(log_probs.values<float>()[i]));
    const double gain = (advantages.values<float>()[i] - mean_gain) / std::sqrt(squares);
    actor -= std::min(ratio * gain, std::clamp(ratio, 0.8, 1.2) * gain) / 6;
    critic += std::pow(values.values<float>()[i] - returns.values<float>()[i], 2) / 6;
    entropy -= (p[0] * std::log(p[0]) + p[1] * std::log(p[1])) / 6;
  }
  CHECK(models::policy_loss(model, experience).item() ==
        doctest::Approx(actor + 0.5 * critic - 0.01 * entropy).epsilon(1e-5));

  // The gradient of the whole, away from the kinks of the clipping.
  const Experience near{states, actions, stop_gradient(distributions::Categorical(logits).log_prob(actions)),
                        advantages, returns};
  test::check_directional(model.parameters(),
                          [&] { return reshape(models::policy_loss(model, near, {.clip = 0.5, .entropy = 0.3}), {1}); },
                          {.gate = 1e-3});
  CHECK(error_of([&] {
          models::policy_loss(model, {states, actions, log_probs, advantages, zeros({5})});
        }) == "policy_loss: returns [5], expected [6]");
}
