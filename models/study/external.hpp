#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <temper/autograd/parameter.hpp>
#include <temper/tensor/tensor.hpp>

#include "models/study/records.hpp"

namespace temper::study {

/// A published figure beside ours.
struct Comparison {
  std::string what;
  std::string published, ours, difference;
  std::string verdict;  ///< "holds", "does not hold", or "-" where runs are missing
};

/// DeepOBS's quadratic_deep: the mean of (theta - x)' H (theta - x) / 2 over points x around 0, with ten large
/// eigenvalues of H and ninety below 1. H and the points are always the same.
/// Source: Schneider, Balles, Hennig, "DeepOBS: a deep learning optimizer benchmark suite" (2019).
struct QuadraticDeep {
  QuadraticDeep();

  /// The mean loss of theta [100] over rows of `points` [n, 100].
  Tensor loss(const Tensor& theta, const Tensor& points) const;
  /// The loss over the points that DeepOBS tests with: the first 896 of the others.
  double test_loss(const Tensor& theta) const;

  Tensor hessian;      ///< [100, 100]
  Tensor train, test;  ///< [1000, 100] each
};

/// The size of the checks: 1 for the published one, less to try whether they run.
struct ExternalSize {
  double share = 1.0;
  std::string data{};  ///< Fashion-MNIST's folder; empty: the usual places
};

/// Checks optimizers and schedules against figures that others published; runs that are in `records` are not repeated.
std::vector<Comparison> check_external(Records& records, const ExternalSize& size);

/// The comparisons as a table for docs/.
std::string table(const std::vector<Comparison>& comparisons);

}  // namespace temper::study
