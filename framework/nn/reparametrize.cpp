#include <temper/nn/reparametrize.hpp>

#include <vector>

#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/statistics.hpp>
#include <temper/autograd/tape.hpp>

namespace temper::nn::detail {

Tensor lengths_of(const Tensor& v) {
  const NoTape pause;
  if (v.rank() < 2) return abs(v);
  std::vector<int> others;
  for (int axis = 1; axis < v.rank(); ++axis) others.push_back(axis);
  return norm(v, 2.0, Axes(std::span<const int>(others)), {.keepdim = true});
}

Tensor random_unit(std::int64_t size) {
  const NoTape pause;
  const Tensor x = normal({size});
  return x / norm(x);
}

void find_singular_vectors(const Tensor& weight, Tensor u, Tensor v) {
  const NoTape pause(Mode::train);
  static_cast<void>(spectral_norm(weight, std::move(u), std::move(v), {.iterations = 15}));
}

}  // namespace temper::nn::detail
