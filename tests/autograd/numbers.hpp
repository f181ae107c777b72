#pragma once

// Operations on one number, so that the tape is tested independently of the library's operations.

#include <temper/autograd/tape.hpp>

namespace temper::test {

inline Tensor times(const Tensor& a, const Tensor& b) {
  const auto y = scalar(static_cast<float>(a.item() * b.item()));
  return record("times", y, {a, b}, [a = save(a), b = save(b)](const Tensor& dy, Gradients& gradients) {
    if (gradients.wants(0)) gradients.give(0, scalar(static_cast<float>(dy.item() * b->item())));
    if (gradients.wants(1)) gradients.give(1, scalar(static_cast<float>(dy.item() * a->item())));
  });
}

inline Tensor plus(const Tensor& a, const Tensor& b) {
  const auto y = scalar(static_cast<float>(a.item() + b.item()));
  return record("plus", y, {a, b}, [](const Tensor& dy, Gradients& gradients) {
    gradients.give(0, dy);
    gradients.give(1, dy);
  });
}

/// Adds to the gradient buffer in place, as the gradients of weights do.
inline Tensor twice(const Tensor& a) {
  return record("twice", scalar(static_cast<float>(2 * a.item())), {a}, [](const Tensor& dy, Gradients& gradients) {
    auto [dx, accumulate] = gradients.into(0);
    float& out = *dx.mutable_data<float>();
    out = static_cast<float>((accumulate ? out : 0.0f) + 2 * dy.item());
  });
}

inline Parameter number(float value) { return Parameter(scalar(value), Role::weight); }

}  // namespace temper::test
