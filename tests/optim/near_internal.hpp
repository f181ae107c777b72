#pragma once

#include <doctest/doctest.h>

/// Equal within a relative error. doctest's own Approx allows its epsilon as an absolute error too, which is all of a
/// learning rate.
inline doctest::Approx near(double expected, double epsilon = 1e-6) {
  return doctest::Approx(expected).epsilon(epsilon).scale(1e-30);
}
