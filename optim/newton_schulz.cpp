// Orthogonalization of matrices by polynomials in x x', which need matrix products only.

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <utility>

#include <temper/core/parallel.hpp>
#include <temper/tensor/tensor.hpp>

#include "framework/kernels/matmul.hpp"
#include "optim/kernels/table.hpp"
#include "optim/newton_schulz_internal.hpp"
#include "optim/plan_internal.hpp"

namespace temper::optim::detail {

namespace {

/// x becomes (a + b x x' + c (x x')^2) x.
struct Coefficients {
  double a, b, c;
};

constexpr std::array jordan = {Coefficients{3.4445, -4.7750, 2.0315}};
constexpr std::array exact = {Coefficients{2.0, -1.5, 0.5}};
// Source: Amsel, Persson, Musco, Gower, "The Polar Express" (2025), algorithm 1.
constexpr std::array polar_express = {Coefficients{8.1566, -22.4833, 15.8788}, Coefficients{4.0429, -2.8089, 0.5000},
                                      Coefficients{3.8917, -2.7725, 0.5061}, Coefficients{3.2858, -2.3681, 0.4645},
                                      Coefficients{2.3465, -1.7098, 0.4232}};

std::span<const Coefficients> coefficients_of(NewtonSchulz iteration) {
  switch (iteration) {
    case NewtonSchulz::jordan: return jordan;
    case NewtonSchulz::exact: return exact;
    case NewtonSchulz::polar_express: return polar_express;
  }
  return jordan;
}

}  // namespace

int usual_steps(NewtonSchulz iteration) { return iteration == NewtonSchulz::exact ? 12 : 5; }

void orthogonalize(float* x, std::int64_t rows, std::int64_t columns, NewtonSchulz iteration, int steps, double scale) {
  const std::span<const Coefficients> coefficients = coefficients_of(iteration);
  const auto& table = optim_kernels::current();
  const bool wide = rows <= columns;
  const std::int64_t side = std::min(rows, columns), length = std::max(rows, columns);
  const kernels::Matmul gram_of{
      .m = side, .n = side, .k = length, .transpose_a = !wide, .transpose_b = wide};  // on the short side
  const kernels::Matmul square_of{.m = side, .n = side, .k = side};
  const kernels::Matmul product_of{.m = rows, .n = columns, .k = side};

  Tensor gram = empty({side, side}), factor = empty({side, side}), other = empty({rows, columns});
  float *const g = gram.mutable_data<float>(), *const f = factor.mutable_data<float>();
  float *from = x, *to = other.mutable_data<float>();
  // The buffers alternate, and the last step must write to x.
  if (steps % 2 == 1) std::swap(from, to);

  const double norm = std::sqrt(table.sum_squares(x, rows * columns));
  const double divisor = iteration == NewtonSchulz::polar_express ? 1.01 * norm + 1e-6 : norm + 1e-7;
  const auto per_norm = static_cast<float>(1.0 / divisor);
  parallel_for(rows * columns, piece_size, [&](std::int64_t begin, std::int64_t end) {
    table.scale(x + begin, per_norm, from + begin, end - begin);
  });
  for (int step = 0; step < steps; ++step) {
    const auto [a, b, c] = coefficients[std::min(static_cast<std::size_t>(step), coefficients.size() - 1)];
    const double size = step + 1 == steps ? scale : 1.0;
    const auto of_one = static_cast<float>(size * a), of_gram = static_cast<float>(size * b),
               of_square = static_cast<float>(size * c);
    kernels::matmul(gram_of, from, from, nullptr, g);
    kernels::matmul(square_of, g, g, nullptr, f);
    // f = a I + b G + c G^2, the factor of x
    parallel_for(side * side, piece_size, [&](std::int64_t begin, std::int64_t end) {
      table.mix(f + begin, of_square, g + begin, of_gram, end - begin);
    });
    for (std::int64_t i = 0; i < side; ++i) f[i * side + i] += of_one;
    kernels::matmul(product_of, wide ? f : from, wide ? from : f, nullptr, to);
    std::swap(from, to);
  }
}

}  // namespace temper::optim::detail
