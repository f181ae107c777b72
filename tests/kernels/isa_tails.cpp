// Kernels that work along lines: an element's result depends on the whole line, but not on the element's index. So if a
// line repeats itself every three elements, its results must do so too, bit for bit, across the vector loop and the
// tail.

#include <algorithm>
#include <array>

#include "tests/kernels/isa.hpp"

namespace temper::kernels::test {

namespace {

constexpr Index period = 3;  // shares no factor with a vector's width
constexpr std::array<std::array<float, period>, 4> patterns = {
    {{0.3f, -2.1f, 1.7f}, {-0.0f, 1e-40f, -0.7f}, {1e-3f, 1.0003e-3f, 1.0001e-3f}, {12.5f, 0.0f, -87.1f}}};

Floats repeated(Index n, const std::array<float, period>& pattern) {
  Floats x(n);
  for (Index i = 0; i < n; ++i) x.data()[i] = pattern[static_cast<std::size_t>(i % period)];
  return x;
}

bool repeats(const Floats& y) {
  bool equal = y.intact();
  for (Index i = period; i < y.size(); ++i) equal = equal && same_bits(y[i], y[i % period]);
  return equal;
}

/// Calls body(kernels, x, n) for lines of every length and pattern.
template <class Body>
void on_lines(Body body) {
  on_each_isa([&](const IsaTable& kernels) {
    for (Index n = 1; n <= longest; ++n) {
      CAPTURE(n);
      for (const auto& pattern : patterns) {
        CAPTURE(pattern[0]);
        body(kernels, repeated(n, pattern), n);
      }
    }
  });
}

}  // namespace

TEST_CASE("softmax, log-softmax and their gradients give equal bits in the vector loop and the tail") {
  on_lines([](const IsaTable& kernels, const Floats& x, Index n) {
    const Floats dy = repeated(n, {0.7f, -0.2f, 1.1f});
    for (const bool log : {false, true}) {
      Floats y(n), dx(n);
      CHECK_FALSE(kernels.softmax(x.data(), n, 1, 1, log, y.data()));
      kernels.softmax_backward(y.data(), dy.data(), n, 1, 1, log, dx.data());
      CHECK(repeats(y));
      CHECK(repeats(dx));
      // n neighbouring lines of two elements each, down the columns
      if (n == 1) continue;
      Floats two(2 * n), out(2 * n), slope(2 * n), first(n), second(n);
      for (Index i = 0; i < n; ++i) two.data()[i] = x[i], two.data()[n + i] = dy[i];
      CHECK_FALSE(kernels.softmax(two.data(), 2, n, n, log, out.data()));
      kernels.softmax_backward(out.data(), two.data(), 2, n, n, log, slope.data());
      for (const Floats* result : {&out, &slope}) {
        std::copy_n(result->data(), n, first.data());
        std::copy_n(result->data() + n, n, second.data());
        CHECK(repeats(first));
        CHECK(repeats(second));
      }
    }
  });
}

TEST_CASE("norms and their gradients give equal bits in the vector loop and the tail") {
  on_lines([](const IsaTable& kernels, const Floats& x, Index n) {
    const Floats dy = repeated(n, {0.7f, -0.2f, 1.1f}), w = repeated(n, {1.3f, 0.9f, -0.4f});
    const Floats b = repeated(n, {0.1f, -0.6f, 0.05f});
    for (const bool centered : {true, false}) {
      Floats y(n), plain(n), mean(1), inverse(1), dx(n), dw = repeated(n, {0.01f, 2.0f, -3.0f}), db = dw;
      float* means = centered ? mean.data() : nullptr;
      kernels.norm(x.data(), 1, n, nullptr, nullptr, 1e-5f, plain.data(), means, inverse.data());
      kernels.norm(x.data(), 1, n, w.data(), b.data(), 1e-5f, y.data(), means, inverse.data());
      kernels.norm_backward(x.data(), dy.data(), 1, n, w.data(), means, inverse.data(), dx.data(), false, dw.data(),
                            db.data());
      CHECK(repeats(plain));
      CHECK(repeats(y));
      CHECK(repeats(dx));
      CHECK(repeats(dw));
      CHECK(repeats(db));
    }
  });
}

TEST_CASE("sums of rows and derivatives of two operands give equal bits in the vector loop and the tail") {
  on_lines([](const IsaTable& kernels, const Floats& x, Index n) {
    constexpr Index rows = 6;
    Floats all(rows * n), sums(n), dy = repeated(n, {0.7f, -0.2f, 1.1f}), d(n);
    for (Index i = 0; i < rows * n; ++i) all.data()[i] = x[i % n] * static_cast<float>(1 + i / n);
    kernels.sum_rows(all.data(), rows, n, n, sums.data());
    CHECK(repeats(sums));
    for (const auto backward : kernels.binary_backward) {
      for (const Index stride : {0, 1}) {
        backward(x.data(), 1, dy.data(), stride, dy.data(), 1 - stride, d.data(), n);
        CHECK(repeats(d));
        backward(x.data(), 1 - stride, dy.data(), 1, dy.data(), stride, d.data(), n);
        CHECK(repeats(d));
      }
    }
  });
}

}  // namespace temper::kernels::test
