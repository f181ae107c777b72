#pragma once

// A convolution by one of oneDNN's implementations, or by our own kernels.

#include "framework/kernels/conv.hpp"
#include "framework/kernels/onednn_trial.hpp"

namespace temper::kernels {

/// One of oneDNN's three convolutions. Its program's operands are x, weight, bias (which may be missing) and y; dy,
/// weight and dx; or x, dy and dw.
class ConvTask : public onednn::Task {
 public:
  /// `flag`: forward has a bias; the weights' gradient is added to what is there. `to` is the type of that gradient,
  /// and of the result of the others `from`.
  ConvTask(onednn::Op op, const Conv2d& shape, bool flag, onednn::Type from, onednn::Type to)
      : op_(op), shape_(shape), flag_(flag), from_(from), to_(to) {}

  onednn::Key key() const override;
  bool compile(onednn::Program& program, int number) const override;
  bool right(onednn::Program& program) const override;
  /// A convolution of the same class that takes microseconds.
  ConvTask small() const;

 private:
  bool right_forward(onednn::Program& program) const;
  bool right_backward_data(onednn::Program& program) const;
  bool right_backward_weights(onednn::Program& program) const;

  onednn::Op op_;
  Conv2d shape_;
  bool flag_;
  onednn::Type from_, to_;
};

/// Calls f(x, tap, y) for every element of the kernel at every position: the indices of the pixel of x that it is
/// multiplied with, of the kernel's element, and of the pixel of y that the product is added to.
template <class F>
void each_tap(const Conv2d& s, F f) {
  const Index out_h = s.out_h(), out_w = s.out_w();
  for (Index y = 0; y < s.n * out_h * out_w; ++y) {
    const Index top = y / out_w % out_h * s.stride_h - s.padding_h, left = y % out_w * s.stride_w - s.padding_w;
    const Index image = y / (out_w * out_h) * s.h;
    for (Index i = 0; i < s.kernel_h; ++i) {
      const Index row = top + i * s.dilation_h;
      if (row < 0 || row >= s.h) continue;
      for (Index j = 0; j < s.kernel_w; ++j) {
        const Index column = left + j * s.dilation_w;
        if (column >= 0 && column < s.w) f((image + row) * s.w + column, i * s.kernel_w + j, y);
      }
    }
  }
}

// For shapes where none of oneDNN's implementations is right: im2col, the pixels under each position of the kernel as
// the rows of a matrix, and a product with the weights. T and G as in conv.hpp; n > 0.
template <class T>
void own_conv2d(const Conv2d& shape, const T* x, const T* weight, const float* bias, T* y);
template <class T>
void own_conv2d_backward_data(const Conv2d& shape, const T* dy, const T* weight, T* dx);
template <class T, class G>
void own_conv2d_backward_weights(const Conv2d& shape, const T* x, const T* dy, G* dw, bool accumulate);

}  // namespace temper::kernels
