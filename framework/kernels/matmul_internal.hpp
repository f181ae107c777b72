#pragma once

// A product of matrices by one of oneDNN's implementations, or by our own kernels.

#include "framework/kernels/matmul.hpp"
#include "framework/kernels/onednn_trial.hpp"

namespace temper::kernels {

/// A matrix product by oneDNN. Its program's operands are a, b, bias (which may be missing) and y.
class ProductTask : public onednn::Task {
 public:
  ProductTask(const Matmul& shape, bool has_bias, onednn::Type from, onednn::Type to);

  onednn::Key key() const override;
  bool compile(onednn::Program& program, int number) const override;
  bool right(onednn::Program& program) const override;
  /// A product of the same class that takes microseconds.
  ProductTask small() const;

 private:
  Matmul shape_;
  bool has_bias_;
  onednn::Type from_, to_;
  bool gemm_first_;
};

/// For shapes where no implementation of oneDNN is right. X and Y as in matmul(). Same bits for any number of threads.
template <class X, class Y>
void own_product(const Matmul& shape, const X* a, const X* b, const float* bias, Y* y);

}  // namespace temper::kernels
