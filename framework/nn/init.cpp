#include <temper/nn/init.hpp>

#include <cmath>

#include "framework/core/format_internal.hpp"

namespace temper::nn {

Tensor fan_in_uniform(const Shape& shape, std::int64_t fan_in) {
  if (fan_in < 1) fail<ValueError>("fan_in_uniform: fan_in is {}, expected at least 1", fan_in);
  const auto bound = static_cast<float>(1.0 / std::sqrt(static_cast<double>(fan_in)));
  return uniform(shape, -bound, bound);
}

}  // namespace temper::nn
