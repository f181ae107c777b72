#include <algorithm>

#include "framework/kernels/bfloat16.hpp"
#include "framework/kernels/conv_internal.hpp"
#include "framework/kernels/matmul.hpp"
#include "framework/kernels/scratch_internal.hpp"

namespace temper::kernels {

namespace {

/// The sizes of one group of one image's convolution, as those of a product: y [pixels, out] = rows [pixels, terms]
/// w^T.
struct Group {
  explicit Group(const Conv2d& s)
      : image(s), taps(s.kernel_h * s.kernel_w), in(s.in / s.groups), out(s.out / s.groups), terms(taps * in) {
    image.n = 1;
    pixels = image.out_h() * image.out_w();
  }
  Conv2d image;
  Index taps, in, out, terms;
  Index pixels = 0;

  Matmul forward() const { return {.m = pixels, .n = out, .k = terms, .transpose_b = true}; }
  Matmul backward_rows() const { return {.m = pixels, .n = terms, .k = out}; }
  Matmul backward_weights() const {
    return {.m = out, .n = terms, .k = pixels, .transpose_a = true, .accumulate = true};
  }
};

/// rows [pixels, tap, channel]: for each pixel of y the pixels of x under the kernel, zeros where it covers padding.
template <class T>
void im2col(const Group& g, Index number, const T* x, float* rows) {
  std::fill_n(rows, g.pixels * g.terms, 0.0f);
  each_tap(g.image, [&](Index from, Index tap, Index to) {
    const T* pixel = x + from * g.image.in + number * g.in;
    float* row = rows + to * g.terms + tap * g.in;
    for (Index c = 0; c < g.in; ++c) row[c] = widened(pixel[c]);
  });
}

/// The weights of a group from [out, channel, tap] to [out, tap, channel].
template <class T>
void transpose_weights(const Group& g, const T* weight, float* transposed) {
  for (Index o = 0; o < g.out; ++o) {
    for (Index c = 0; c < g.in; ++c) {
      for (Index tap = 0; tap < g.taps; ++tap) {
        transposed[(o * g.taps + tap) * g.in + c] = widened(weight[(o * g.in + c) * g.taps + tap]);
      }
    }
  }
}

/// part [pixels, out]: a copy of the group's channels of y.
template <class T>
void gather_channels(const Group& g, Index number, const T* y, float* part) {
  for (Index i = 0; i < g.pixels * g.out; ++i) {
    part[i] = widened(y[i / g.out * g.image.out + number * g.out + i % g.out]);
  }
}

}  // namespace

template <class T>
void own_conv2d(const Conv2d& shape, const T* x, const T* weight, const float* bias, T* y) {
  const Group g(shape);
  const Scratch<float> rows(g.pixels * g.terms), weights(g.out * g.terms), part(g.pixels * g.out);
  for (Index number = 0; number < shape.groups; ++number) {
    transpose_weights(g, weight + number * g.out * g.terms, weights.data());
    for (Index n = 0; n < shape.n; ++n) {
      im2col(g, number, x + n * shape.h * shape.w * shape.in, rows.data());
      matmul(g.forward(), rows.data(), weights.data(), bias != nullptr ? bias + number * g.out : nullptr, part.data());
      T* to = y + n * g.pixels * shape.out + number * g.out;
      for (Index i = 0; i < g.pixels * g.out; ++i) {
        to[i / g.out * shape.out + i % g.out] = narrowed<T>(part.data()[i]);
      }
    }
  }
}

template <class T>
void own_conv2d_backward_data(const Conv2d& shape, const T* dy, const T* weight, T* dx) {
  const Group g(shape);
  const Index image = shape.h * shape.w * g.in;
  const Scratch<float> rows(g.pixels * g.terms), weights(g.out * g.terms), part(g.pixels * g.out), sums(image);
  for (Index number = 0; number < shape.groups; ++number) {
    transpose_weights(g, weight + number * g.out * g.terms, weights.data());
    for (Index n = 0; n < shape.n; ++n) {
      gather_channels(g, number, dy + n * g.pixels * shape.out, part.data());
      matmul(g.backward_rows(), part.data(), weights.data(), nullptr, rows.data());
      std::fill_n(sums.data(), image, 0.0f);
      each_tap(g.image, [&](Index to, Index tap, Index from) {
        const float* row = rows.data() + from * g.terms + tap * g.in;
        for (Index c = 0; c < g.in; ++c) sums.data()[to * g.in + c] += row[c];
      });
      T* to = dx + n * shape.h * shape.w * shape.in + number * g.in;
      for (Index i = 0; i < image; ++i) to[i / g.in * shape.in + i % g.in] = narrowed<T>(sums.data()[i]);
    }
  }
}

template <class T, class G>
void own_conv2d_backward_weights(const Conv2d& shape, const T* x, const T* dy, G* dw, bool accumulate) {
  const Group g(shape);
  const Scratch<float> rows(g.pixels * g.terms), sums(g.out * g.terms), part(g.pixels * g.out);
  for (Index number = 0; number < shape.groups; ++number) {
    std::fill_n(sums.data(), g.out * g.terms, 0.0f);
    for (Index n = 0; n < shape.n; ++n) {
      im2col(g, number, x + n * shape.h * shape.w * shape.in, rows.data());
      gather_channels(g, number, dy + n * g.pixels * shape.out, part.data());
      matmul(g.backward_weights(), part.data(), rows.data(), nullptr, sums.data());
    }
    G* to = dw + number * g.out * g.terms;
    for (Index i = 0; i < g.out * g.terms; ++i) {
      const Index o = i / g.terms, c = i % g.terms / g.taps, tap = i % g.taps;
      const float sum = sums.data()[(o * g.taps + tap) * g.in + c];
      to[i] = narrowed<G>(accumulate ? widened(to[i]) + sum : sum);
    }
  }
}

template void own_conv2d(const Conv2d&, const float*, const float*, const float*, float*);
template void own_conv2d(const Conv2d&, const BFloat16*, const BFloat16*, const float*, BFloat16*);
template void own_conv2d_backward_data(const Conv2d&, const float*, const float*, float*);
template void own_conv2d_backward_data(const Conv2d&, const BFloat16*, const BFloat16*, BFloat16*);
template void own_conv2d_backward_weights(const Conv2d&, const float*, const float*, float*, bool);
template void own_conv2d_backward_weights(const Conv2d&, const BFloat16*, const BFloat16*, float*, bool);
template void own_conv2d_backward_weights(const Conv2d&, const BFloat16*, const BFloat16*, BFloat16*, bool);

}  // namespace temper::kernels
