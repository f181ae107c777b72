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

/// Last steps s, and what the gradient changed by over them, y.
struct Pair {
  Vector s, y;
};

/// A point on the line of a search.
struct Trial {
  double t = 0.0;      // how far along
  double f = 0.0;      // the loss there
  double slope = 0.0;  // its derivative along the line
  Vector gradient{};
};

/// -H g, with H as the pairs say. Source: Nocedal, Wright (2006), algorithm 7.4.
Vector direction(const std::deque<Pair>& pairs, const Vector& gradient);

/// A point that satisfies the strong Wolfe conditions, or the lowest one found in `most` evaluations.
/// Source: Nocedal, Wright (2006), algorithms 3.5 and 3.6.
Trial search(const Trial& start, double first, const std::function<Trial(double)>& at, double c1, double c2, int most);

}  // namespace temper::optim::detail
