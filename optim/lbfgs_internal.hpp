#pragma once

// The arithmetic of L-BFGS, in double and without parameters.

#include <deque>
#include <functional>
#include <span>
#include <vector>

#include <temper/optim/lbfgs.hpp>

namespace temper::optim::detail {

using Vector = std::vector<double>;

double dot(const Vector& a, const Vector& b);

/// A step s and the change y of the gradient over it.
struct Pair {
  Vector s, y;
};

/// A point of a line search.
struct Trial {
  double t = 0.0;      // position along the line
  double f = 0.0;      // the loss
  double slope = 0.0;  // its derivative along the line
  Vector gradient{};
};

/// -H g, with H the inverse Hessian that the pairs approximate. Source: Nocedal, Wright (2006), algorithm 7.4.
Vector direction(const std::deque<Pair>& pairs, const Vector& gradient);

/// A point that satisfies the strong Wolfe conditions, or the lowest one found in `most` evaluations.
/// Source: Nocedal, Wright (2006), algorithms 3.5 and 3.6.
Trial search(const Trial& start, double first, const std::function<Trial(double)>& at, double c1, double c2, int most);

}  // namespace temper::optim::detail
