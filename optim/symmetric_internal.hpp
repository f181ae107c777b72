#pragma once

#include <cstdint>
#include <vector>

namespace temper::optim::detail {

/// The eigenvectors of a symmetric matrix a [n, n], row-major, as columns, by falling eigenvalues.
std::vector<double> eigenvectors(std::vector<double> a, std::int64_t n);

/// An orthogonal basis of the columns of a [n, n], row-major: the first k columns of both span the same.
std::vector<double> orthogonal_basis(std::vector<double> a, std::int64_t n);

}  // namespace temper::optim::detail
