#include "framework/kernels/conv.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include <temper/core/parallel.hpp>
#include <temper/core/trace.hpp>

#include "framework/kernels/conv_internal.hpp"
#include "framework/kernels/matmul.hpp"
#include "framework/kernels/scratch_internal.hpp"

namespace temper::kernels {

namespace {

/// Whether oneDNN has an implementation that passes its trial; runs it then.
template <class T, class G = T>
bool run_onednn(onednn::Op op, const Conv2d& shape, bool flag, std::initializer_list<const void*> operands) {
  const ConvTask task(op, shape, flag, onednn::type_of<T>, onednn::type_of<G>);
  const bool done = onednn::run(task.key(), operands,
                                [&](onednn::Program& program) { program = onednn::choose(task, task.small()); });
  // The other ways are matrix products, which count their own.
  if (done && detail::tracing()) detail::trace_flops(shape.flops());
  return done;
}

// A strided convolution with a kernel of one pixel reads every stride-th pixel of x and no other. With those gathered
// in dense memory it has stride 1, and without groups it is a matrix product. oneDNN gathers them itself, but version
// 2.6 writes past its buffer when there are few channels.

template <class T>
void require_type() {
  if (std::is_same_v<T, BFloat16>) onednn::require_bf16("conv2d");
}

/// Whether the kernel is one pixel and there is no padding.
bool pointwise(const Conv2d& s) { return s.kernel_h == 1 && s.kernel_w == 1 && s.padding_h == 0 && s.padding_w == 0; }

bool strided(const Conv2d& s) { return s.stride_h != 1 || s.stride_w != 1; }

Conv2d without_stride(const Conv2d& s) {
  return {.n = s.n, .h = s.out_h(), .w = s.out_w(), .in = s.in, .out = s.out, .groups = s.groups};
}

Matmul product_of(const Conv2d& s) { return {.m = s.n * s.h * s.w, .n = s.out, .k = s.in, .transpose_b = true}; }

/// A dense copy of the pixels of x that are read, or memory for their gradient: [n, out_h, out_w, in].
template <class T>
class StridedPixels {
 public:
  explicit StridedPixels(const Conv2d& s) : s_(s), pixels_(rows() * row()) {}
  T* data() const { return pixels_.data(); }

  void gather(const T* x) const {
    parallel_for(rows(), grain(), [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        const T* from = x + source_row(i) * s_.w * s_.in;
        for (Index j = 0; j < s_.out_w(); ++j, from += s_.stride_w * s_.in) copy(from, data() + i * row() + j * s_.in);
      }
    });
  }
  /// dx = the gradient at the pixels that are read, 0 elsewhere.
  void scatter(T* dx) const {
    parallel_for(s_.n * s_.h, grain(), [&](Index begin, Index end) {
      std::fill(dx + begin * s_.w * s_.in, dx + end * s_.w * s_.in, T{});
      for (Index i = begin; i < end; ++i) {
        const Index image = i / s_.h, line = i % s_.h / s_.stride_h;
        if (i % s_.h % s_.stride_h != 0 || line >= s_.out_h()) continue;
        const T* from = data() + (image * s_.out_h() + line) * row();
        T* to = dx + i * s_.w * s_.in;
        for (Index j = 0; j < s_.out_w(); ++j, to += s_.stride_w * s_.in) copy(from + j * s_.in, to);
      }
    });
  }

 private:
  Index rows() const { return s_.n * s_.out_h(); }
  Index row() const { return s_.out_w() * s_.in; }
  Index grain() const { return std::max<Index>(1, (Index{1} << 15) / row()); }
  Index source_row(Index i) const { return i / s_.out_h() * s_.h + i % s_.out_h() * s_.stride_h; }
  void copy(const T* from, T* to) const { std::memcpy(to, from, static_cast<std::size_t>(s_.in) * sizeof(T)); }

  const Conv2d& s_;
  Scratch<T> pixels_;
};

}  // namespace

template <class T>
void conv2d(const Conv2d& shape, const T* x, const T* weight, const float* bias, T* y) {
  if (shape.n == 0) return;
  require_type<T>();
  if (pointwise(shape) && strided(shape)) {
    const StridedPixels<T> pixels(shape);
    pixels.gather(x);
    return conv2d(without_stride(shape), pixels.data(), weight, bias, y);
  }
  if (pointwise(shape) && shape.groups == 1) return matmul(product_of(shape), x, weight, bias, y);
  if (run_onednn<T>(onednn::Op::conv_forward, shape, bias != nullptr, {x, weight, bias, y})) return;
  own_conv2d(shape, x, weight, bias, y);
}

template <class T>
void conv2d_backward_data(const Conv2d& shape, const T* dy, const T* weight, T* dx) {
  if (shape.n == 0) return;
  require_type<T>();
  if (pointwise(shape) && strided(shape)) {
    const StridedPixels<T> pixels(shape);
    conv2d_backward_data(without_stride(shape), dy, weight, pixels.data());
    return pixels.scatter(dx);
  }
  if (pointwise(shape) && shape.groups == 1) {
    return matmul({.m = shape.n * shape.h * shape.w, .n = shape.in, .k = shape.out}, dy, weight, nullptr, dx);
  }
  if (run_onednn<T>(onednn::Op::conv_backward_data, shape, false, {dy, weight, dx})) return;
  own_conv2d_backward_data(shape, dy, weight, dx);
}

template <class T, class G>
void conv2d_backward_weights(const Conv2d& shape, const T* x, const T* dy, G* dw, bool accumulate) {
  if (shape.n == 0) {
    if (!accumulate) std::fill_n(dw, shape.weights(), G{});
    return;
  }
  require_type<T>();
  if (pointwise(shape) && strided(shape)) {
    const StridedPixels<T> pixels(shape);
    pixels.gather(x);
    return conv2d_backward_weights(without_stride(shape), pixels.data(), dy, dw, accumulate);
  }
  if (pointwise(shape) && shape.groups == 1) {
    return matmul({.m = shape.out,
                   .n = shape.in,
                   .k = shape.n * shape.h * shape.w,
                   .transpose_a = true,
                   .accumulate = accumulate},
                  dy, x, nullptr, dw);
  }
  if (run_onednn<T, G>(onednn::Op::conv_backward_weights, shape, accumulate, {x, dy, dw})) return;
  own_conv2d_backward_weights(shape, x, dy, dw, accumulate);
}

template void conv2d(const Conv2d&, const float*, const float*, const float*, float*);
template void conv2d(const Conv2d&, const BFloat16*, const BFloat16*, const float*, BFloat16*);
template void conv2d_backward_data(const Conv2d&, const float*, const float*, float*);
template void conv2d_backward_data(const Conv2d&, const BFloat16*, const BFloat16*, BFloat16*);
template void conv2d_backward_weights(const Conv2d&, const float*, const float*, float*, bool);
template void conv2d_backward_weights(const Conv2d&, const BFloat16*, const BFloat16*, float*, bool);
template void conv2d_backward_weights(const Conv2d&, const BFloat16*, const BFloat16*, BFloat16*, bool);

}  // namespace temper::kernels
