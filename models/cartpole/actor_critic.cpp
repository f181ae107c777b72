#include <temper/models/cartpole/actor_critic.hpp>

#include <cmath>
#include <string>
#include <vector>

#include <temper/temper.hpp>

namespace temper::models {

namespace {

nn::Linear orthogonal_linear(std::int64_t in, std::int64_t out, double gain) {
  nn::Linear layer(in, out);
  layer.weight.set_value(nn::orthogonal({out, in}, gain));
  layer.bias.set_value(zeros({out}));
  return layer;
}

nn::Sequential network(const ActorCriticConfig& config, std::int64_t outputs, double last_gain) {
  const double gain = std::sqrt(2.0);
  return nn::Sequential(orthogonal_linear(config.numbers, config.width, gain), nn::Tanh(),
                        orthogonal_linear(config.width, config.width, gain), nn::Tanh(),
                        orthogonal_linear(config.width, outputs, last_gain));
}

void check_shape(const char* who, const char* what, const Tensor& x, const Shape& expected) {
  if (x.shape() != expected) {
    throw ShapeError(std::string(who) + ": " + what + " " + to_string(x.shape()) + ", expected " + to_string(expected));
  }
}

}  // namespace

ActorCritic::ActorCritic(const ActorCriticConfig& config)
    // Actions are nearly equally likely at first.
    : actor_(network(config, config.actions, 0.01)), critic_(network(config, 1, 1.0)) {}

Tensor ActorCritic::values(const Tensor& states) const { return reshape(critic_(states), {-1}); }

void ActorCritic::members(nn::Members& m) const {
  m("actor", actor_);
  m("critic", critic_);
}

Advantages advantages_of(const Tensor& rewards, const Tensor& values, const Tensor& over, const Tensor& next,
                         const AdvantageOptions& options) {
  if (rewards.rank() != 2) {
    throw ShapeError("advantages_of: rewards " + to_string(rewards.shape()) + ", expected [T, N]");
  }
  check_shape("advantages_of", "values", values, rewards.shape());
  check_shape("advantages_of", "over", over, rewards.shape());
  check_shape("advantages_of", "next", next, {rewards.size(1)});
  const std::int64_t steps = rewards.size(0), count = rewards.size(1);
  Advantages result{empty(rewards.shape()), empty(rewards.shape())};
  float* const advantages = result.advantages.mutable_data<float>();
  float* const returns = result.returns.mutable_data<float>();
  const float* const value = values.data<float>();
  for (std::int64_t i = 0; i < count; ++i) {
    double later = 0, value_after = static_cast<double>(next.data<float>()[i]);
    for (std::int64_t t = steps; t-- > 0;) {
      const std::int64_t at = t * count + i;
      const double goes_on = over.data<bool>()[at] ? 0.0 : options.discount;
      const double here = static_cast<double>(value[at]);
      const double surprise = static_cast<double>(rewards.data<float>()[at]) + goes_on * value_after - here;
      later = surprise + goes_on * options.lambda * later;
      advantages[at] = static_cast<float>(later);
      returns[at] = static_cast<float>(later + here);
      value_after = here;
    }
  }
  return result;
}

Tensor policy_loss(const ActorCritic& model, const Experience& experience, const PolicyOptions& options) {
  const auto& [states, actions, log_probs, advantages, returns] = experience;
  if (states.rank() != 2)
    throw ShapeError("policy_loss: states " + to_string(states.shape()) + ", expected [N, numbers]");
  const Shape each{states.size(0)};
  check_shape("policy_loss", "actions", actions, each);
  check_shape("policy_loss", "log_probs", log_probs, each);
  check_shape("policy_loss", "advantages", advantages, each);
  check_shape("policy_loss", "returns", returns, each);
  const distributions::Categorical policy(model.logits(states));
  const Tensor centred = advantages - mean(advantages);
  const Tensor gain = centred / (sqrt(mean(square(centred))) + 1e-8f);
  const Tensor ratio = exp(policy.log_prob(actions) - log_probs);
  const auto clip = static_cast<float>(options.clip);
  const Tensor actor = -mean(minimum(ratio * gain, clamp(ratio, 1 - clip, 1 + clip) * gain));
  const Tensor critic = mse_loss(model.values(states), returns);
  return actor + critic * options.critic - mean(policy.entropy()) * options.entropy;
}

}  // namespace temper::models
