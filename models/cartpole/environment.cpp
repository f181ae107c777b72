#include <temper/models/cartpole/environment.hpp>

#include <cmath>
#include <string>

#include <temper/core/errors.hpp>

namespace temper::models {

void CartPole::reset(const float (&uniform)[numbers]) {
  double* const state[numbers] = {&position, &speed, &angle, &spin};
  for (std::int64_t i = 0; i < numbers; ++i) *state[i] = first_spread * (2 * static_cast<double>(uniform[i]) - 1);
  steps = 0;
}

CartPole::Outcome CartPole::step(std::int64_t action) {
  if (action != 0 && action != 1) {
    throw ValueError("CartPole: action " + std::to_string(action) + ", expected 0 (left) or 1 (right)");
  }
  constexpr double mass = cart_mass + pole_mass, moment = pole_mass * half_length;
  const double push = action == 1 ? force : -force;
  const double sine = std::sin(angle), cosine = std::cos(angle);
  const double without_pole = (push + moment * spin * spin * sine) / mass;
  const double spin_change =
      (gravity * sine - cosine * without_pole) / (half_length * (4.0 / 3.0 - pole_mass * cosine * cosine / mass));
  const double speed_change = without_pole - moment * spin_change * cosine / mass;
  position += seconds_per_step * speed;
  speed += seconds_per_step * speed_change;
  angle += seconds_per_step * spin;
  spin += seconds_per_step * spin_change;
  ++steps;
  const bool fell = std::abs(position) > farthest || std::abs(angle) > steepest;
  return {.fell = fell, .cut_off = !fell && steps >= longest};
}

void CartPole::observe(float* state) const {
  state[0] = static_cast<float>(position);
  state[1] = static_cast<float>(speed);
  state[2] = static_cast<float>(angle);
  state[3] = static_cast<float>(spin);
}

}  // namespace temper::models
