#pragma once

#include <temper/optim/schedule.hpp>

namespace temper::optim {

/// Every `every` updates the slow weights go `share` of the way to the fast ones, which start again from there.
/// Source: Zhang, Lucas, Hinton, Ba, "Lookahead optimizer: k steps forward, 1 step back" (2019).
struct LookaheadOptions {
  Step every = 5;
  double share = 0.5;
};

}  // namespace temper::optim
