#pragma once

// Compares the gradient of a whole model along random directions in the space of all parameters with central
// differences. This checks tape, layers and model together.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include <temper/autograd/ops/reduce.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/random.hpp>

namespace temper::test {

struct DirectionalOptions {
  int directions = 8;
  double step = 3e-4;  ///< root mean square of the change of a parameter relative to that of the parameter
  double gate = 1e-4;  ///< error bound relative to |gradient| |direction|
};

/// losses() returns losses as a function of the parameters, and must not draw random numbers. Their mean is
/// differentiated. Use many: errors of rounding, and of kinks of relu and max pooling that some losses cross within the
/// step, then average out.
template <class Losses>
void check_directional(const std::vector<Parameter>& parameters, Losses losses, DirectionalOptions options = {}) {
  {
    Tape tape;
    tape.backward(mean(losses()));
  }
  std::vector<Tensor> values, gradients;
  for (const Parameter& parameter : parameters) {
    REQUIRE(parameter.gradient().defined());
    values.push_back(parameter.value().clone());
    gradients.push_back(parameter.gradient());
  }
  discard_gradients(parameters);

  for (int direction = 0; direction < options.directions; ++direction) {
    CAPTURE(direction);
    double gradient_squares = 0, direction_squares = 0, expected = 0, above = 0, below = 0;
    std::vector<std::vector<double>> moved(parameters.size());
    for (const double sign : {1.0, -1.0}) {
      for (std::size_t k = 0; k < parameters.size(); ++k) {
        const detail::RandomStream random(1, detail::RandomUse::draw, static_cast<std::uint64_t>(direction), k);
        const auto from = values[k].values<float>(), gradient = gradients[k].values<float>();
        double squares = 0;
        for (const float x : from) squares += static_cast<double>(x) * static_cast<double>(x);
        const double size = std::sqrt(squares / static_cast<double>(from.size()));
        moved[k].resize(from.size());
        Tensor handle = parameters[k].value();
        const auto to = handle.mutable_values<float>();
        for (std::size_t i = 0; i < from.size(); ++i) {
          to[i] = static_cast<float>(static_cast<double>(from[i]) + sign * options.step * size * random.normal(i));
          if (sign > 0) {
            moved[k][i] = static_cast<double>(to[i]);
            continue;
          }
          // The step as it was rounded.
          const double made = (moved[k][i] - static_cast<double>(to[i])) / 2;
          const double slope = static_cast<double>(gradient[i]);
          expected += slope * made;
          gradient_squares += slope * slope;
          direction_squares += made * made;
        }
      }
      const Tensor each = losses();
      double total = 0;
      for (const float x : each.values<float>()) total += static_cast<double>(x);
      (sign > 0 ? above : below) = total / static_cast<double>(each.numel());
    }
    const double found = (above - below) / 2;
    const double error = std::abs(found - expected) / std::sqrt(gradient_squares * direction_squares);
    CAPTURE(found);
    CAPTURE(expected);
    CHECK(error <= options.gate);
  }
  for (std::size_t k = 0; k < parameters.size(); ++k) Tensor(parameters[k].value()).copy_from(values[k]);
}

}  // namespace temper::test
