// Kernels that select between numbers propagate NaN, in the vector loop and the tail: with a NaN at any index of an
// array of any length, the results that depend on it are NaN and all others keep their bits.

#include <algorithm>

#include "framework/kernels/pool.hpp"
#include "tests/kernels/isa.hpp"

namespace temper::kernels::test {

namespace {

/// run(x, out, n) computes out[i] from x[i]; expected(i) is the result of a NaN at i.
template <class Run, class Expected>
void check_nan(const char* name, Run run, Expected expected) {
  CAPTURE(name);
  const std::vector<float> values = numbers(longest, 1);
  bool right = true;
  for (Index n = 1; n <= longest; ++n) {
    const Floats clean(std::vector<float>(values.begin(), values.begin() + n));
    Floats before(n);
    run(clean.data(), before.data(), n);
    for (Index at = 0; at < n; ++at) {
      Floats x(std::vector<float>(values.begin(), values.begin() + n)), out(n);
      x.data()[at] = nan;
      run(x.data(), out.data(), n);
      right = right && out.intact();
      for (Index i = 0; i < n; ++i) right = right && same_bits(out[i], i == at ? expected(i) : before[i]);
    }
  }
  CHECK(right);
}

}  // namespace

TEST_CASE("relu, clamp, maximum, minimum and their gradients propagate NaN") {
  const Floats others(numbers(longest, 2)), dy(numbers(longest, 3));
  const auto is_nan = [](Index) { return nan; };
  const auto is_dy = [&](Index i) { return dy[i]; };
  on_each_isa([&](const IsaTable& kernels) {
    const auto relu = static_cast<std::size_t>(Unary::relu);
    check_nan("relu", kernels.unary[relu], is_nan);
    check_nan(
        "relu backward", [&](const float* y, float* dx, Index n) { kernels.unary_backward[relu](y, dy.data(), dx, n); },
        is_dy);
    for (const Parametric op : {Parametric::leaky_relu, Parametric::clamp}) {
      const auto index = static_cast<std::size_t>(op);
      check_nan(
          "parametric", [&](const float* x, float* y, Index n) { kernels.parametric[index](x, 0.25f, 0.5f, y, n); },
          is_nan);
      check_nan(
          "parametric backward",
          [&](const float* x, float* dx, Index n) {
            kernels.parametric_backward[index](x, dy.data(), 0.25f, 0.5f, dx, n);
          },
          is_dy);
    }
    for (const Binary op : {Binary::maximum, Binary::minimum}) {
      const auto kernel = kernels.binary[static_cast<std::size_t>(op)];
      for (const Index stride : {0, 1}) {
        check_nan(
            "NaN on the left", [&](const float* x, float* y, Index n) { kernel(x, 1, others.data(), stride, y, n); },
            is_nan);
        check_nan(
            "NaN on the right", [&](const float* x, float* y, Index n) { kernel(others.data(), stride, x, 1, y, n); },
            is_nan);
      }
    }
    for (const BinaryBackward op : {BinaryBackward::maximum_a, BinaryBackward::minimum_a}) {
      check_nan(
          "gradient of the operand that is NaN",
          [&](const float* x, float* d, Index n) {
            kernels.binary_backward[static_cast<std::size_t>(op)](x, 1, others.data(), 1, dy.data(), 1, d, n);
          },
          is_dy);
    }
  });
}

TEST_CASE("maxima and minima of columns and max pooling propagate NaN") {
  constexpr Index rows = 5;
  on_each_isa([](const IsaTable& kernels) {
    for (Index nan_row = 0; nan_row < rows; ++nan_row) {
      // The array under test is one of several rows, or one pixel of a window.
      const auto among_rows = [&](const float* x, Index n) {
        std::vector<float> all = numbers(rows * n, 4);
        std::copy_n(x, n, all.begin() + nan_row * n);
        return Floats(all);
      };
      check_nan(
          "largest_rows",
          [&](const float* x, float* y, Index n) { kernels.largest_rows(among_rows(x, n).data(), rows, n, n, y); },
          [](Index) { return nan; });
      check_nan(
          "smallest_rows",
          [&](const float* x, float* y, Index n) { kernels.smallest_rows(among_rows(x, n).data(), rows, n, n, y); },
          [](Index) { return nan; });
      check_nan(
          "max_pool",
          [&](const float* x, float* y, Index n) {
            const Pool2d window{.n = 1,
                                .h = 1,
                                .w = rows,
                                .channels = n,
                                .kernel_h = 1,
                                .kernel_w = rows,
                                .stride_h = 1,
                                .stride_w = 1,
                                .padding_h = 0,
                                .padding_w = 0,
                                .out_h = 1,
                                .out_w = 1};
            kernels.max_pool(window, 0, 1, among_rows(x, n).data(), y, nullptr);
          },
          [](Index) { return nan; });
    }
  });
}

}  // namespace temper::kernels::test
