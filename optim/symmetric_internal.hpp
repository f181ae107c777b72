#pragma once

#include <cstdint>
#include <vector>

namespace temper::optim::detail {

/// The eigenvectors of a symmetric matrix a [n, n], row-major, as columns, sorted by descending eigenvalues.
std::vector<double> eigenvectors(std::vector<double> a, std::int64_t n);

/// The Q of a QR decomposition of a [n, n], row-major: orthonormal columns, the first k spanning the first k of a.
std::vector<double> orthogonal_basis(std::vector<double> a, std::int64_t n);

}  // namespace temper::optim::detail
