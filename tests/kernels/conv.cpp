#include "framework/kernels/conv.hpp"

#include "framework/kernels/conv_internal.hpp"
#include "framework/kernels/matmul.hpp"
#include "framework/kernels/onednn.hpp"
#include "onednn_reference.hpp"
#include "tests/slow.hpp"

using namespace reference;
using temper::kernels::Conv2d;

namespace {

struct Data {
  Floats x, weight, bias, dy, dw;
};

Data make(const Conv2d& s, Random& random) {
  return {random.floats(s.n * s.h * s.w * s.in), random.floats(s.weights()), random.floats(s.out),
          random.floats(s.n * s.out_h() * s.out_w() * s.out), random.floats(s.weights())};
}

/// Calls term(x, weight, y) with the indices of the operands and the result of every product in a convolution.
template <class Term>
void each_term(const Conv2d& s, Term term) {
  const Index in = s.in / s.groups, out = s.out / s.groups;
  for (Index n = 0; n < s.n; ++n) {
    for (Index row = 0; row < s.out_h(); ++row) {
      for (Index column = 0; column < s.out_w(); ++column) {
        for (Index i = 0; i < s.kernel_h; ++i) {
          const Index h = row * s.stride_h - s.padding_h + i * s.dilation_h;
          if (h < 0 || h >= s.h) continue;
          for (Index j = 0; j < s.kernel_w; ++j) {
            const Index w = column * s.stride_w - s.padding_w + j * s.dilation_w;
            if (w < 0 || w >= s.w) continue;
            for (Index o = 0; o < s.out; ++o) {
              for (Index c = 0; c < in; ++c) {
                const Index x = ((n * s.h + h) * s.w + w) * s.in + o / out * in + c;
                const Index weight = ((o * in + c) * s.kernel_h + i) * s.kernel_w + j;
                const Index y = ((n * s.out_h() + row) * s.out_w() + column) * s.out + o;
                term(static_cast<std::size_t>(x), static_cast<std::size_t>(weight), static_cast<std::size_t>(y));
              }
            }
          }
        }
      }
    }
  }
}

struct Results {
  Floats y, dx, dw, added;
  friend bool operator==(const Results&, const Results&) = default;
};

/// The convolutions with oneDNN, and Temper's own, which replace them where oneDNN fails.
struct Library {
  static constexpr auto forward = temper::kernels::conv2d<float>;
  static constexpr auto backward_data = temper::kernels::conv2d_backward_data<float>;
  static constexpr auto backward_weights = temper::kernels::conv2d_backward_weights<float, float>;
};
struct Own {
  static constexpr auto forward = temper::kernels::own_conv2d<float>;
  static constexpr auto backward_data = temper::kernels::own_conv2d_backward_data<float>;
  static constexpr auto backward_weights = temper::kernels::own_conv2d_backward_weights<float, float>;
};

template <class By = Library>
Results run(const Conv2d& s, const Data& data, bool bias) {
  const auto unwritten = [](const Floats& like) { return Guarded(static_cast<Index>(like.size()), NAN); };
  Guarded y = unwritten(data.dy), dx = unwritten(data.x), dw = unwritten(data.weight), added(data.dw);
  By::forward(s, data.x.data(), data.weight.data(), bias ? data.bias.data() : nullptr, y.data());
  By::backward_data(s, data.dy.data(), data.weight.data(), dx.data());
  By::backward_weights(s, data.x.data(), data.dy.data(), dw.data(), false);
  By::backward_weights(s, data.x.data(), data.dy.data(), added.data(), true);
  return {written(y), written(dx), written(dw), written(added)};
}

void check(const Conv2d& s, Random& random, bool bias = true) {
  const Data data = make(s, random);
  Sums y(data.dy.size()), dx(data.x.size()), dw(data.weight.size());
  each_term(s, [&](std::size_t ix, std::size_t iw, std::size_t iy) {
    y[iy].add(double{data.x[ix]} * data.weight[iw]);
    dx[ix].add(double{data.dy[iy]} * data.weight[iw]);
    dw[iw].add(double{data.dy[iy]} * data.x[ix]);
  });
  for (std::size_t i = 0; bias && i < y.size(); ++i) y[i].add(data.bias[i % static_cast<std::size_t>(s.out)]);
  Sums added = dw;
  for (std::size_t i = 0; i < dw.size(); ++i) added[i].add(data.dw[i]);

  CAPTURE(s.n);
  CAPTURE(s.h);
  CAPTURE(s.w);
  CAPTURE(s.in);
  CAPTURE(s.out);
  CAPTURE(s.kernel_h);
  CAPTURE(s.kernel_w);
  CAPTURE(s.stride_h);
  CAPTURE(s.stride_w);
  CAPTURE(s.padding_h);
  CAPTURE(s.padding_w);
  CAPTURE(s.dilation_h);
  CAPTURE(s.dilation_w);
  CAPTURE(s.groups);
  const auto agrees = [&](const Results& r) {
    CHECK(worst(r.y, y) <= 1.0);
    CHECK(worst(r.dx, dx) <= 1.0);
    CHECK(worst(r.dw, dw) <= 1.0);
    CHECK(worst(r.added, added) <= 1.0);
  };
  agrees(run(s, data, bias));
  if (s.n > 0 && s.n < 4) agrees(run<Own>(s, data, bias));
  CHECK(temper::test::slow_implementations(temper::kernels::onednn::implementations()).empty());
}

Conv2d random_case(Random& random) {
  Conv2d s;
  do {
    s = {};
    s.n = random.between(0, 9) == 0 ? random.between(16, 64) : random.between(1, 3);
    const Index most_pixels = s.n > 3 ? 4 : 12;
    s.h = random.between(1, most_pixels), s.w = random.between(1, most_pixels);
    s.groups = random.one_of<Index>({1, 1, 1, 2, 3, 8});
    const bool depthwise = random.between(0, 5) == 0;
    if (depthwise) s.groups = random.one_of<Index>({1, 3, 8, 16, 17, 20});
    const Index most = s.groups == 1 ? 40 : 17;
    s.in = s.groups * (depthwise ? 1 : random.between(1, most));
    s.out = s.groups * (depthwise ? random.between(1, 2) : random.between(1, most));
    const bool square = random.between(0, 1) == 1;
    s.kernel_h = random.between(1, 5), s.kernel_w = square ? s.kernel_h : random.between(1, 5);
    s.stride_h = random.between(1, 6), s.stride_w = random.between(1, 6);
    s.padding_h = random.between(0, 3), s.padding_w = random.between(0, 3);
    s.dilation_h = random.between(1, 3), s.dilation_w = random.between(1, 3);
  } while (s.h + 2 * s.padding_h < s.dilation_h * (s.kernel_h - 1) + 1 ||
           s.w + 2 * s.padding_w < s.dilation_w * (s.kernel_w - 1) + 1);
  return s;
}

}  // namespace

TEST_CASE("conv2d agrees with double loops at channel counts around the vectors' width") {
  Random random(11);
  for (const Index channels : {1, 7, 8, 9, 15, 16, 17, 31, 33}) {
    Conv2d s{
        .n = 2, .h = 6, .w = 5, .in = channels, .out = 3, .kernel_h = 3, .kernel_w = 3, .padding_h = 1, .padding_w = 1};
    check(s, random);
    std::swap(s.in, s.out);
    check(s, random, false);
    s.in = s.out = s.groups = channels;  // depthwise
    check(s, random);
  }
}

TEST_CASE("conv2d with groups, dilation, strides beyond the kernel, one output channel, odd kernels") {
  Random random(12);
  const Conv2d image{.n = 2, .h = 9, .w = 11, .in = 12, .out = 8};
  const auto changed = [&](auto change) {
    Conv2d s = image;
    change(s);
    check(s, random);
  };
  changed([](Conv2d& s) { s.groups = 4, s.kernel_h = 3, s.kernel_w = 2; });
  changed([](Conv2d& s) { s.dilation_h = 2, s.dilation_w = 3, s.kernel_h = s.kernel_w = 3, s.padding_h = 2; });
  changed([](Conv2d& s) { s.stride_h = 4, s.stride_w = 5, s.kernel_h = 2, s.kernel_w = 3; });
  changed([](Conv2d& s) { s.stride_h = 3, s.stride_w = 3; });
  changed([](Conv2d& s) { s.out = 1, s.kernel_h = 3, s.kernel_w = 3, s.padding_w = 1; });
  changed([](Conv2d& s) { s.kernel_h = 9, s.kernel_w = 11; });
  changed([](Conv2d& s) { s.padding_h = 4, s.padding_w = 5, s.kernel_h = s.kernel_w = 2; });
  changed([](Conv2d& s) { s.in = s.groups = 12, s.out = 24, s.kernel_h = s.kernel_w = 3, s.stride_h = 2; });
  check({.n = 3, .h = 28, .w = 28, .in = 1, .out = 32, .kernel_h = 3, .kernel_w = 3, .padding_h = 1, .padding_w = 1},
        random);
  check({.n = 2, .h = 32, .w = 32, .in = 3, .out = 16, .kernel_h = 16, .kernel_w = 16, .stride_h = 16, .stride_w = 16},
        random);
}

TEST_CASE("conv2d of one pixel, with strides and few channels") {
  Random random(15);
  for (const Index in : {1, 3, 4, 7, 8, 12, 16, 31}) {
    for (const Index out : {1, 5, 8, 16}) {
      check({.n = 2, .h = 9, .w = 12, .in = in, .out = out, .stride_h = 2, .stride_w = 2}, random);
    }
    check({.n = 2, .h = 8, .w = 7, .in = in, .out = 9, .stride_w = 3}, random);
    check({.n = 2, .h = 6, .w = 5, .in = 3 * in, .out = 3, .stride_h = 2, .stride_w = 2, .groups = 3}, random);
    check({.n = 2, .h = 5, .w = 5, .in = in, .out = 4, .stride_h = 2, .padding_h = 1, .padding_w = 2}, random);
    check({.n = 2, .h = 5, .w = 6, .in = in, .out = 4}, random);
  }
  // The kernel's window lies outside of the image. oneDNN 3.7 crashes with a segmentation fault.
  check({.n = 3,
         .h = 3,
         .w = 1,
         .in = 32,
         .out = 80,
         .kernel_h = 1,
         .kernel_w = 1,
         .stride_h = 3,
         .stride_w = 3,
         .padding_h = 3,
         .padding_w = 2,
         .groups = 8},
        random);
  check({.n = 2, .h = 1, .w = 5, .in = 4, .out = 16, .kernel_h = 2, .kernel_w = 2, .padding_h = 2, .dilation_h = 3},
        random);
  // oneDNN 2.6 crashes with a segmentation fault, or does not end.
  for (const int threads : {1, 2}) {
    const Threads scope(threads);
    check({.n = 32, .h = 64, .w = 64, .in = 4, .out = 8, .stride_h = 2, .stride_w = 2}, random);
    check({.n = 8, .h = 32, .w = 32, .in = 4, .out = 8, .stride_h = 2, .stride_w = 2}, random);
    check({.n = 1, .h = 32, .w = 32, .in = 4, .out = 8, .stride_h = 2, .stride_w = 2}, random);
  }
}

TEST_CASE("conv2d of large batches") {
  Random random(16);
  for (const int threads : {1, 2}) {
    const Threads scope(threads);
    check({.n = 65, .h = 7, .w = 6, .in = 5, .out = 9, .kernel_h = 3, .kernel_w = 3, .padding_h = 1}, random);
    check({.n = 130, .h = 4, .w = 4, .in = 17, .out = 3, .kernel_h = 2, .kernel_w = 3, .stride_w = 2}, random);
    check({.n = 33, .h = 9, .w = 9, .in = 16, .out = 20, .kernel_h = 2, .kernel_w = 2, .stride_h = 4, .stride_w = 4},
          random);
  }
}

TEST_CASE("conv2d of an empty batch writes nothing but a zero weight gradient") {
  const Conv2d s{.n = 0, .h = 4, .w = 4, .in = 2, .out = 3};
  Floats weight(6, 1.0f), bias(3, 1.0f), dw(6, 5.0f);
  temper::kernels::conv2d<float>(s, nullptr, weight.data(), bias.data(), nullptr);
  temper::kernels::conv2d_backward_data<float>(s, nullptr, weight.data(), nullptr);
  temper::kernels::conv2d_backward_weights<float>(s, nullptr, nullptr, dw.data(), true);
  CHECK(dw == Floats(6, 5.0f));
  temper::kernels::conv2d_backward_weights<float>(s, nullptr, nullptr, dw.data(), false);
  CHECK(dw == Floats(6, 0.0f));
}

TEST_CASE("conv2d of random shapes") {
  Random random(13);
  const int count = random_shapes(0.4);
  for (int i = 0; i < count; ++i) check(random_case(random), random, random.between(0, 1) == 1);
}

TEST_CASE("conv2d repeats itself bit for bit; forward and data gradient do so on two threads, too") {
  Random random(14);
  const Conv2d s{
      .n = 5, .h = 14, .w = 14, .in = 8, .out = 16, .kernel_h = 3, .kernel_w = 3, .padding_h = 1, .padding_w = 1};
  const Data data = make(s, random);
  Results one, two;
  {
    const Threads threads(1);
    one = run(s, data, true);
    CHECK(run(s, data, true) == one);
  }
  {
    const Threads threads(2);
    two = run(s, data, true);
    CHECK(run(s, data, true) == two);
  }
  CHECK(one.y == two.y);
  CHECK(one.dx == two.dx);
  const Threads threads(1);
  CHECK(run(s, data, true) == one);
}
