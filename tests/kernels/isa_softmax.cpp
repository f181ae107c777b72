#include <algorithm>
#include <array>

#include "tests/kernels/isa.hpp"

namespace temper::kernels::test {

namespace {

/// Softmax, or its logarithm, of n numbers `stride` apart, in double.
std::vector<double> reference(const float* x, Index n, Index stride, bool log) {
  double top = -std::numeric_limits<double>::infinity(), sum = 0.0;
  for (Index i = 0; i < n; ++i) top = std::max(top, static_cast<double>(x[i * stride]));
  for (Index i = 0; i < n; ++i) sum += std::exp(static_cast<double>(x[i * stride]) - top);
  std::vector<double> y;
  for (Index i = 0; i < n; ++i) {
    const double shifted = static_cast<double>(x[i * stride]) - top;
    y.push_back(log ? shifted - std::log(sum) : std::exp(shifted) / sum);
  }
  return y;
}

/// Ordinary logits, or some whose exponentials overflow.
std::vector<float> logits(Index n, unsigned seed, bool extreme) {
  std::vector<float> x = numbers(n, seed, 3.0f);
  constexpr float special[] = {88.0f, -88.0f, 1e4f, -1e4f, -infinity};
  if (extreme) {
    for (std::size_t i = 0; i < x.size(); i += 3) x[i] = special[i / 3 % std::size(special)];
  }
  return x;
}

}  // namespace

TEST_CASE("softmax and its gradient, along lines and down columns") {
  on_each_isa([](const IsaTable& kernels) {
    for (const bool log : {false, true}) {
      for (const bool extreme : {false, true}) {
        for (Index n = 1; n <= longest; ++n) {
          // With one column the kernels work along lines, with five and more on several columns at once.
          for (const Index cols : {Index{1}, n % 23 + 2}) {
            CAPTURE(log);
            CAPTURE(extreme);
            CAPTURE(n);
            CAPTURE(cols);
            const Index stride = cols == 1 ? 1 : cols + 1;
            std::vector<float> values = logits(n * stride, static_cast<unsigned>(n), extreme);
            for (Index col = 0; col < cols; ++col) values[static_cast<std::size_t>(col)] = 1.0f;  // no line is all -inf
            const Floats x(values), dy(numbers(n * stride, 99));
            Floats y(n * stride), dx(n * stride);
            CHECK_FALSE(kernels.softmax(x.data(), n, stride, cols, log, y.data()));
            kernels.softmax_backward(y.data(), dy.data(), n, stride, cols, log, dx.data());
            bool right = y.intact() && dx.intact();
            for (Index col = 0; col < cols; ++col) {
              const std::vector<double> expected = reference(x.data() + col, n, stride, log);
              double sum = 0.0, terms = 0.0;
              for (Index i = 0; i < n; ++i) {
                const double g = static_cast<double>(dy[i * stride + col]);
                const double term = log ? g : g * expected[static_cast<std::size_t>(i)];
                sum += term;
                terms += std::abs(term);
              }
              for (Index i = 0; i < n; ++i) {
                const double v = expected[static_cast<std::size_t>(i)], g = static_cast<double>(dy[i * stride + col]);
                right = right && close(y[i * stride + col], v, 1e-6);
                const double slope = log ? g - std::exp(v) * sum : v * (g - sum);
                right = right &&
                        std::abs(static_cast<double>(dx[i * stride + col]) - slope) <= 2e-6 * (std::abs(g) + terms);
              }
            }
            CHECK(right);
          }
        }
      }
    }
  });
}

TEST_CASE("softmax of nothing but -inf is reported, of NaN is NaN, of 3e38 is right") {
  on_each_isa([](const IsaTable& kernels) {
    for (const Index n : {1, 7, 16, 33}) {
      Floats x(n, -infinity), y(n);
      CHECK(kernels.softmax(x.data(), n, 1, 1, false, y.data()));
      x.data()[n - 1] = 3e38f;
      CHECK_FALSE(kernels.softmax(x.data(), n, 1, 1, false, y.data()));
      CHECK(y[n - 1] == 1.0f);
      x.data()[0] = nan;
      CHECK_FALSE(kernels.softmax(x.data(), n, 1, 1, false, y.data()));
      CHECK(std::isnan(y[n - 1]));

      Floats columns(n * 5, 0.0f), out(n * 5);
      for (Index i = 0; i < n; ++i) columns.data()[i * 5 + 3] = -infinity;
      CHECK(kernels.softmax(columns.data(), n, 5, 5, false, out.data()));
    }
  });
}

TEST_CASE("log-sum-exp and the gradient of the cross entropy") {
  on_each_isa([](const IsaTable& kernels) {
    for (const bool extreme : {false, true}) {
      for (Index n = 1; n <= longest; ++n) {
        CAPTURE(n);
        std::vector<float> values = logits(n, 5, extreme);
        values[0] = 2.0f;
        const Floats x(values);
        float top;
        double sum;
        kernels.log_sum_exp(x.data(), n, &top, &sum);
        CHECK(top == *std::ranges::max_element(values));
        double expected = 0.0;
        for (const float value : values) expected += std::exp(static_cast<double>(value) - static_cast<double>(top));
        CHECK(sum == doctest::Approx(expected).epsilon(1e-6));
      }
    }
    const Floats x(logits(longest, 6, true));
    float top;
    double sum;
    kernels.log_sum_exp(x.data(), longest, &top, &sum);
    const std::vector<double> p = reference(x.data(), longest, 1, false);
    check_elementwise(
        [&](Index first, Index n, float* out) {
          kernels.cross_entropy_backward(x.data() + first, n, top, static_cast<float>(1.0 / sum), 0.01f, 0.5f, out);
        },
        [&](Index i) { return 0.5 * (p[static_cast<std::size_t>(i)] - 0.01); });
  });
}

TEST_CASE("pointwise losses and their gradients") {
  std::vector<float> inputs = numbers(longest, 7, 2.0f);
  inputs[3] = 1e4f;
  inputs[4] = -1e4f;
  inputs[5] = 90.0f;
  inputs[6] = nan;
  std::vector<float> targets = numbers(longest, 8);
  for (float& target : targets) target = std::min(1.0f, std::abs(target));
  inputs[8] = targets[8];
  const Floats x(inputs), t(targets), dy(numbers(longest, 9));
  on_each_isa([&](const IsaTable& kernels) {
    const auto check = [&](PointwiseLoss loss, auto value, auto slope) {
      CAPTURE(static_cast<int>(loss));
      const auto kernel = kernels.pointwise_loss[static_cast<std::size_t>(loss)];
      const auto backward = kernels.pointwise_loss_backward[static_cast<std::size_t>(loss)];
      check_elementwise(
          [&](Index first, Index n, float* out) { kernel(x.data() + first, t.data() + first, 0.7f, out, n); },
          [&](Index i) { return value(static_cast<double>(x[i]), static_cast<double>(t[i])); });
      for (const Index stride : {0, 1}) {
        check_elementwise(
            [&](Index first, Index n, float* out) {
              backward(x.data() + first, t.data() + first, 0.7f, dy.data() + stride * first, stride, 0.25f, out, n);
            },
            [&](Index i) {
              return 0.25 * static_cast<double>(dy[stride * i]) *
                     slope(static_cast<double>(x[i]), static_cast<double>(t[i]));
            });
      }
    };
    const double delta = static_cast<double>(0.7f);
    check(
        PointwiseLoss::squared, [](double u, double v) { return (u - v) * (u - v); },
        [](double u, double v) { return 2 * (u - v); });
    check(
        PointwiseLoss::absolute, [](double u, double v) { return std::abs(u - v); },
        [](double u, double v) { return u > v   ? 1.0
                                        : u < v ? -1.0
                                                : u - v; });
    check(
        PointwiseLoss::huber,
        [=](double u, double v) {
          const double d = std::abs(u - v);
          return d > delta ? delta * (d - delta / 2) : d * d / 2;
        },
        [=](double u, double v) { return u - v > delta    ? delta
                                         : u - v < -delta ? -delta
                                                          : u - v; });
    check(
        PointwiseLoss::bce_with_logits,
        [](double u, double v) { return (u < 0 ? 0 : u) - u * v + std::log1p(std::exp(-std::abs(u))); },
        [](double u, double v) { return 1 / (1 + std::exp(-u)) - v; });
  });
}

}  // namespace temper::kernels::test
