#pragma once

#include <doctest/doctest.h>

/// Equal within a relative error. doctest's Approx allows epsilon as an absolute error too, which may be as large as a
/// learning rate.
inline doctest::Approx near(double expected, double epsilon = 1e-6) {
  return doctest::Approx(expected).epsilon(epsilon).scale(1e-30);
}
