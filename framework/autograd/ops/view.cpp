// The members of Tensor that share or copy its elements. They are here because they are recorded.

#include <temper/autograd/tape.hpp>

#include "framework/autograd/ops/ops_internal.hpp"

namespace temper {

Tensor Tensor::view(const Shape& shape) const { return detail::viewed("view", *this, shape); }

Tensor Tensor::rows(std::int64_t begin, std::int64_t end) const {
  return detail::sliced("rows", *this, 0, begin, detail::alias_rows(*this, begin, end));
}

Tensor Tensor::clone() const {
  return record("clone", detail::copy(*this), {*this},
                differentiable([](const Tensor& dy, Gradients& gradients) { gradients.give(0, dy); }));
}

void Tensor::copy_from(const Tensor& source) {
  if (recording({source})) {
    fail<TapeError>(
        "copy_from: a gradient is to flow through the source {}, which copying cuts; say stop_gradient(source)",
        source.shape());
  }
  overwrite(source);
}

}  // namespace temper
