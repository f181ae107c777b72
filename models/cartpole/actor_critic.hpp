#pragma once

#include <cstdint>

#include <temper/nn/layers.hpp>

namespace temper::models {

/// Sizes of an actor and a critic.
struct ActorCriticConfig {
  std::int64_t numbers = 4;  ///< in a state
  std::int64_t actions = 2;  ///< to choose from
  std::int64_t width = 64;   ///< of the two hidden layers of each
};

/// Two networks that see states [N, numbers]: the actor's logits of actions [N, actions], and the critic's estimate [N]
/// of the rewards to come. Two hidden layers with tanh each, orthogonal at first.
class ActorCritic : public nn::Module {
 public:
  /// Throws: ValueError unless all sizes are positive.
  explicit ActorCritic(const ActorCriticConfig& config = {});

  void members(nn::Members& members) const override;

  /// Of each action, [N, actions].
  Tensor logits(const Tensor& states) const { return actor_(states); }
  /// The rewards to come that the critic expects, [N].
  Tensor values(const Tensor& states) const;

 private:
  nn::Sequential actor_, critic_;
};

struct AdvantageOptions {
  double discount = 0.99;  ///< of a reward for each step that it lies ahead
  double lambda = 0.95;    ///< 1: all rewards to come; 0: the next one and the critic's estimate after it
};
/// How much better actions were than the critic expected, and what it should have expected.
struct Advantages {
  Tensor advantages, returns;  ///< f32 [T, N]; returns = advantages + values
};
/// Generalized advantage estimation, for T steps in N environments: rewards and values f32 [T, N], `next` [N] the
/// values of the states after the last step, and `over` bool [T, N], whether a step ended its episode. Throws:
/// ShapeError for other shapes. Source: Schulman et al., "High-dimensional continuous control using generalized
/// advantage estimation" (2015).
Advantages advantages_of(const Tensor& rewards, const Tensor& values, const Tensor& over, const Tensor& next,
                         const AdvantageOptions& options = {});

/// What the actor did in N states, and what is known of it now.
struct Experience {
  Tensor states;      ///< f32 [N, numbers]
  Tensor actions;     ///< i64 [N]
  Tensor log_probs;   ///< f32 [N], of the actions when they were taken
  Tensor advantages;  ///< f32 [N]
  Tensor returns;     ///< f32 [N]
};
struct PolicyOptions {
  double clip =
      0.2;  ///< how far the probability of an action may move, relative to what it was, before it has no gradient
  double critic = 0.5;    ///< factor of the critic's squared error
  double entropy = 0.01;  ///< factor of the entropy, which is subtracted: an actor that stays undecided explores
};
/// The loss of actor and critic, a scalar: PPO's clipped objective with advantages standardized over the N states, the
/// critic's error and the entropy. Throws: ShapeError for other shapes.
/// Source: Schulman et al., "Proximal policy optimization algorithms" (2017), equations 7 and 9.
Tensor policy_loss(const ActorCritic& model, const Experience& experience, const PolicyOptions& options = {});

}  // namespace temper::models
