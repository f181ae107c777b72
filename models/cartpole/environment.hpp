#pragma once

#include <cstdint>

namespace temper::models {

/// A pole on a cart, to be kept upright by pushing the cart left or right: the physics, the bounds and the reward of
/// Gym's CartPole-v1, in double precision, with Euler's method. Source: Barto, Sutton, Anderson, "Neuronlike adaptive
/// elements that can solve difficult learning control problems" (1983).
class CartPole {
 public:
  static constexpr double gravity = 9.8;            ///< m/s^2
  static constexpr double cart_mass = 1.0;          ///< kg
  static constexpr double pole_mass = 0.1;          ///< kg
  static constexpr double half_length = 0.5;        ///< m, from the pivot to the pole's centre of mass
  static constexpr double force = 10.0;             ///< N, of a push
  static constexpr double seconds_per_step = 0.02;  ///< of simulated time
  static constexpr double farthest = 2.4;           ///< m; an episode ends with the cart farther from the middle
  static constexpr double steepest = 12 * 3.14159265358979323846 / 180;  ///< rad; or with a steeper pole
  static constexpr double first_spread = 0.05;  ///< an episode begins with each number of the state within +- this
  static constexpr std::int64_t longest = 500;  ///< steps; then an episode is cut off
  static constexpr std::int64_t numbers = 4;    ///< in a state
  static constexpr std::int64_t actions = 2;    ///< 0 pushes to the left, 1 to the right

  /// The state, of which each number may be set.
  double position = 0;     ///< m, of the cart
  double speed = 0;        ///< m/s
  double angle = 0;        ///< rad, of the pole from upright
  double spin = 0;         ///< rad/s
  std::int64_t steps = 0;  ///< of this episode

  /// Begins an episode, with four numbers uniform in [0, 1) that choose where.
  void reset(const float (&uniform)[numbers]);

  /// How an episode stands after a step. Each step is worth a reward of 1, also the one that ends an episode.
  struct Outcome {
    bool fell = false;                             ///< the pole fell or the cart left: no reward follows
    bool cut_off = false;                          ///< the longest episode is over: the state itself could go on
    bool over() const { return fell || cut_off; }  ///< either
  };
  /// Throws: ValueError for an action that is neither 0 nor 1.
  Outcome step(std::int64_t action);

  /// Writes position, speed, angle and spin.
  void observe(float* state) const;
};

}  // namespace temper::models
