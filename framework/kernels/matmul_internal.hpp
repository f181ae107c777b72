#pragma once

// A product of matrices as something for oneDNN to do, and as our own kernels do it.

#include "framework/kernels/matmul.hpp"
#include "framework/kernels/onednn_trial.hpp"

namespace temper::kernels {

/// a, b, bias (which may be missing) and y are its program's operands.
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

/// Where oneDNN has nothing right. X and Y as in matmul(). Same bits for any number of threads.
template <class X, class Y>
void own_product(const Matmul& shape, const X* a, const X* b, const float* bias, Y* y);

}  // namespace temper::kernels
