#pragma once

// What losses that are made of other operations share.

#include <temper/autograd/ops/loss.hpp>
#include <temper/autograd/ops/reduce.hpp>

#include "framework/autograd/ops/ops_internal.hpp"

namespace temper::detail {

/// Throws unless x is f32 and has the shape of `other`, an argument of f32.
inline void require_same(const char* name, const char* argument, const Tensor& x, const char* other_argument,
                         const Tensor& other) {
  require(name, argument, x);
  if (!(x.shape() == other.shape())) {
    fail<ShapeError>("{}: {} {} and {} {}, expected the same shape", name, other_argument, other.shape(), argument,
                     x.shape());
  }
}

/// Throws unless input and target are f32 and of one shape.
inline void require_pair(const char* name, const Tensor& input, const Tensor& target) {
  require(name, "input", input);
  require_same(name, "target", target, "input", input);
}

/// To be called before anything is recorded: throws for the mean of nothing.
inline void require_reducible(const char* name, const Tensor& input, Reduction reduction) {
  if (reduction == Reduction::mean && input.numel() == 0) {
    fail<ValueError>("{}: mean over input {}, which is empty", name, input.shape());
  }
}

/// The losses, or what the reduction makes of them.
inline Tensor summarized(const Tensor& losses, Reduction reduction) {
  return reduction == Reduction::none ? losses : reduction == Reduction::sum ? sum(losses) : mean(losses);
}

}  // namespace temper::detail
