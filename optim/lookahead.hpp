#pragma once

#include <temper/optim/schedule.hpp>

namespace temper::optim {

/// After every `every` updates: slow += share * (weights - slow), and weights = slow.
/// Source: Zhang, Lucas, Hinton, Ba, "Lookahead optimizer: k steps forward, 1 step back" (2019).
struct LookaheadOptions {
  Step every = 5;
  double share = 0.5;
};

}  // namespace temper::optim
