#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <numbers>

#include "tests/kernels/isa.hpp"

namespace temper::kernels::test {

namespace {

template <class Op>
std::size_t index(Op op) {
  return static_cast<std::size_t>(op);
}

double phi(double x) { return std::isinf(x) ? 0.0 : std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi); }
double cdf(double x) { return std::erfc(-x / std::numbers::sqrt2) / 2; }
double logistic(double x) { return 1 / (1 + std::exp(-x)); }
/// x * factor with the limit 0 instead of NaN where x is infinite and factor is 0.
double limit_product(double x, double factor) { return factor == 0.0 ? 0.0 : x * factor; }
double gelu_tanh_inner(double x) { return std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x); }

struct Function {
  Unary op;
  std::function<double(double)> y;
  std::function<double(double)> slope;  // of x, or of the output where derivative_from_output
};

const std::vector<Function>& functions() {
  static const std::vector<Function> all = {
      {Unary::neg, [](double x) { return -x; }, [](double) { return -1.0; }},
      {Unary::exp, [](double x) { return std::exp(x); }, [](double y) { return y; }},
      {Unary::log, [](double x) { return std::log(x); }, [](double x) { return 1 / x; }},
      {Unary::sqrt, [](double x) { return std::sqrt(x); }, [](double y) { return 0.5 / y; }},
      {Unary::abs, [](double x) { return std::abs(x); }, [](double x) { return x > 0   ? 1.0
                                                                               : x < 0 ? -1.0
                                                                                       : 0.0; }},
      {Unary::relu, [](double x) { return x < 0 ? 0.0 : x; }, [](double y) { return y <= 0 ? 0.0 : 1.0; }},
      {Unary::gelu, [](double x) { return limit_product(x, cdf(x)); },
       [](double x) { return cdf(x) + limit_product(x, phi(x)); }},
      {Unary::gelu_tanh, [](double x) { return limit_product(x, 0.5 * (1 + std::tanh(gelu_tanh_inner(x)))); },
       [](double x) {
         const double t = std::tanh(gelu_tanh_inner(x)), c = std::sqrt(2 / std::numbers::pi);
         return 0.5 * (1 + t) + (t * t == 1 ? 0.0 : 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x));
       }},
      {Unary::silu, [](double x) { return limit_product(x, logistic(x)); },
       [](double x) { return logistic(x) + limit_product(x, logistic(x) * logistic(-x)); }},
      {Unary::sigmoid, logistic, [](double y) { return y * (1 - y); }},
      {Unary::tanh, [](double x) { return std::tanh(x); }, [](double y) { return 1 - y * y; }},
      {Unary::softplus,
       [](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))) + 0 * (x != x ? x : 0); }, logistic},
      {Unary::sin, [](double x) { return std::sin(x); }, [](double x) { return std::cos(x); }},
      {Unary::cos, [](double x) { return std::cos(x); }, [](double x) { return -std::sin(x); }},
      {Unary::tan, [](double x) { return std::tan(x); }, [](double y) { return 1 + y * y; }},
      {Unary::asin, [](double x) { return std::asin(x); }, [](double x) { return 1 / std::sqrt(1 - x * x); }},
      {Unary::acos, [](double x) { return std::acos(x); }, [](double x) { return -1 / std::sqrt(1 - x * x); }},
      {Unary::atan, [](double x) { return std::atan(x); }, [](double x) { return 1 / (1 + x * x); }},
      {Unary::sinh, [](double x) { return std::sinh(x); }, [](double x) { return std::cosh(x); }},
      {Unary::cosh, [](double x) { return std::cosh(x); }, [](double x) { return std::sinh(x); }},
      {Unary::asinh, [](double x) { return std::asinh(x); }, [](double x) { return 1 / std::sqrt(1 + x * x); }},
      {Unary::acosh, [](double x) { return std::acosh(x); }, [](double x) { return 1 / std::sqrt(x * x - 1); }},
      {Unary::atanh, [](double x) { return std::atanh(x); }, [](double x) { return 1 / (1 - x * x); }},
      {Unary::erf, [](double x) { return std::erf(x); },
       [](double x) { return 2 / std::sqrt(std::numbers::pi) * std::exp(-x * x); }},
      {Unary::expm1, [](double x) { return std::expm1(x); }, [](double x) { return std::exp(x); }},
      {Unary::log1p, [](double x) { return std::log1p(x); }, [](double x) { return 1 / (1 + x); }},
      {Unary::rsqrt, [](double x) { return 1 / std::sqrt(x); }, [](double y) { return -y * y * y / 2; }},
      {Unary::reciprocal, [](double x) { return 1 / x; }, [](double y) { return -y * y; }},
      {Unary::square, [](double x) { return x * x; }, [](double x) { return 2 * x; }},
      {Unary::sign, [](double x) { return x > 0   ? 1.0
                                          : x < 0 ? -1.0
                                                  : x; }, [](double) { return 0.0; }},
      {Unary::floor, [](double x) { return std::floor(x); }, [](double) { return 0.0; }},
      {Unary::ceil, [](double x) { return std::ceil(x); }, [](double) { return 0.0; }},
      {Unary::round, [](double x) { return std::nearbyint(x); }, [](double) { return 0.0; }},
      {Unary::trunc, [](double x) { return std::trunc(x); }, [](double) { return 0.0; }},
      {Unary::mish, [](double x) { return limit_product(x, std::tanh(std::log1p(std::exp(x)))); },
       [](double x) {
         const double t = std::tanh(std::log1p(std::exp(x)));
         return t + limit_product(x, logistic(x) * (1 - t * t));
       }},
      {Unary::softsign, [](double x) { return std::isinf(x) ? std::copysign(1.0, x) : x / (1 + std::abs(x)); },
       [](double x) { return 1 / (1 + std::abs(x)) / (1 + std::abs(x)); }},
      {Unary::hardswish, [](double x) { return x <= -3  ? 0.0
                                               : x >= 3 ? x
                                                        : x * (x + 3) / 6; },
       [](double x) { return x <= -3  ? 0.0
                             : x >= 3 ? 1.0
                                      : (2 * x + 3) / 6; }},
      {Unary::hardsigmoid, [](double x) { return x <= -3  ? 0.0
                                                 : x >= 3 ? 1.0
                                                          : (x + 3) / 6; },
       [](double x) { return x <= -3 || x >= 3 ? 0.0 : 1.0 / 6; }},
  };
  return all;
}

/// derivative * dy, but 0 if the derivative is 0, even if dy is infinite; NaN if x is NaN.
double times(double slope, double dy) { return slope * dy; }

}  // namespace

TEST_CASE("the table has no null pointer") {
  static_assert(sizeof(IsaTable) % sizeof(void*) == 0);
  on_each_isa([](const IsaTable& kernels) {
    std::array<void*, sizeof(IsaTable) / sizeof(void*)> entries;
    std::memcpy(entries.data(), &kernels, sizeof kernels);
    CHECK(std::ranges::count(entries, nullptr) == 0);
  });
}

TEST_CASE("unary functions and their derivatives") {
  const Floats x(special_numbers(longest, 1)), dy(numbers(longest, 2));
  REQUIRE(functions().size() == index(Unary::count));
  on_each_isa([&](const IsaTable& kernels) {
    for (const Function& f : functions()) {
      CAPTURE(index(f.op));
      const auto forward = kernels.unary[index(f.op)];
      const auto backward = kernels.unary_backward[index(f.op)];
      check_elementwise([&](Index first, Index n, float* out) { forward(x.data() + first, out, n); },
                        [&](Index i) { return f.y(static_cast<double>(x[i])); });
      Floats argument(longest);
      std::copy_n(x.data(), longest, argument.data());
      if (derivative_from_output(f.op)) forward(x.data(), argument.data(), longest);
      check_elementwise(
          [&](Index first, Index n, float* out) { backward(argument.data() + first, dy.data() + first, out, n); },
          [&](Index i) {
            const double at = static_cast<double>(argument[i]);
            if (f.op == Unary::relu && at != at) return static_cast<double>(dy[i]);
            return times(f.slope(at), static_cast<double>(dy[i]));
          },
          1e-6);
    }
  });
}

TEST_CASE("activations with a bias, their derivatives and the sums of those") {
  constexpr Index rows = 5;
  const std::array<std::pair<Activation, Unary>, 4> activations = {{{Activation::relu, Unary::relu},
                                                                    {Activation::gelu, Unary::gelu},
                                                                    {Activation::gelu_tanh, Unary::gelu_tanh},
                                                                    {Activation::silu, Unary::silu}}};
  static_assert(activations.size() == static_cast<std::size_t>(Activation::count));
  on_each_isa([&](const IsaTable& kernels) {
    for (const auto& entry : activations) {
      const auto activation = entry.first;
      const auto unary = entry.second;
      const auto forward = kernels.bias_activation[index(activation)];
      const auto backward = kernels.bias_activation_backward[index(activation)];
      for (Index cols = 1; cols <= longest; ++cols) {
        CAPTURE(index(activation));
        CAPTURE(cols);
        const Index n = rows * cols;
        const Floats x(special_numbers(n, 1)), bias(numbers(cols, 2)), dy(numbers(n, 3));
        for (const bool biased : {false, true}) {
          // The results of the separate kernels.
          Floats z(n), y(n), dz(n), got(n), slope(n), sums(cols), alone(n);
          for (Index i = 0; i < n; ++i) z.data()[i] = biased ? x[i] + bias[i % cols] : x[i];
          kernels.unary[index(unary)](z.data(), y.data(), n);
          const bool output = derivative_from_output(activation);
          kernels.unary_backward[index(unary)](output ? y.data() : z.data(), dy.data(), dz.data(), n);
          const float* const row = biased ? bias.data() : nullptr;
          forward(x.data(), row, rows, cols, got.data());
          backward(output ? y.data() : x.data(), output ? nullptr : row, dy.data(), rows, cols, slope.data(),
                   sums.data());
          std::copy_n(dy.data(), n, alone.data());  // in place over dy, without the sums
          backward(output ? y.data() : x.data(), output ? nullptr : row, alone.data(), rows, cols, alone.data(),
                   nullptr);
          bool right = got.intact() && slope.intact() && sums.intact() && alone.intact();
          std::vector<float> expected(static_cast<std::size_t>(cols));
          for (Index i = 0; i < n; ++i) {
            right = right && same_bits(got[i], y[i]) && same_bits(slope[i], dz[i]) && same_bits(alone[i], dz[i]);
            expected[static_cast<std::size_t>(i % cols)] += dz[i];
          }
          for (Index i = 0; i < cols; ++i) right = right && same_bits(sums[i], expected[static_cast<std::size_t>(i)]);
          CHECK(right);
        }
      }
    }
  });
}

TEST_CASE("parametric functions and their derivatives") {
  const Floats x(special_numbers(longest, 3)), dy(numbers(longest, 4));
  on_each_isa([&](const IsaTable& kernels) {
    const auto check = [&](Parametric op, float a, float b, auto y, auto slope) {
      CAPTURE(index(op));
      check_elementwise(
          [&](Index first, Index n, float* out) { kernels.parametric[index(op)](x.data() + first, a, b, out, n); },
          [&](Index i) { return y(static_cast<double>(x[i])); });
      check_elementwise(
          [&](Index first, Index n, float* out) {
            kernels.parametric_backward[index(op)](x.data() + first, dy.data() + first, a, b, out, n);
          },
          [&](Index i) { return slope(static_cast<double>(x[i])) * static_cast<double>(dy[i]); });
    };
    check(
        Parametric::leaky_relu, 0.25f, 0.0f, [](double v) { return v < 0 ? 0.25 * v : v; },
        [](double v) { return v <= 0 ? 0.25 : 1.0; });
    check(
        Parametric::clamp, -1.5f, 2.5f, [](double v) { return v < -1.5  ? -1.5
                                                              : v > 2.5 ? 2.5
                                                                        : v; },
        [](double v) { return v < -1.5 || v > 2.5 ? 0.0 : 1.0; });
    check(
        Parametric::over, 0.75f, 0.0f, [](double v) { return v / 0.75; }, [](double) { return 1 / 0.75; });
    check(
        Parametric::under, 0.75f, 0.0f, [](double v) { return 0.75 / v; }, [](double v) { return -0.75 / v / v; });
  });
}

TEST_CASE("binary functions, operands moving or not") {
  const Floats a(special_numbers(longest, 5)), dy(numbers(longest, 7));
  std::vector<float> others = numbers(longest, 6);
  for (std::size_t i = 3; i < others.size(); i += 5)
    others[i] = a[static_cast<Index>(i)];  // equal numbers, and NaN in both operands
  others[1] = nan;
  const Floats b(others);
  const auto larger = [](double u, double v) { return u != u || v != v ? u + v : std::max(u, v); };
  const auto smaller = [](double u, double v) { return u != u || v != v ? u + v : std::min(u, v); };
  using Reference = std::function<double(double, double)>;
  const std::vector<std::pair<Binary, Reference>> references = {
      {Binary::add, [](double u, double v) { return u + v; }},
      {Binary::sub, [](double u, double v) { return u - v; }},
      {Binary::mul, [](double u, double v) { return u * v; }},
      {Binary::div, [](double u, double v) { return u / v; }},
      {Binary::maximum, larger},
      {Binary::minimum, smaller},
      {Binary::same, [](double u, double v) { return u == v || (u != u && v != v) ? 1.0 : 0.0; }}};
  REQUIRE(references.size() == index(Binary::count));
  on_each_isa([&](const IsaTable& kernels) {
    for (const Index stride_a : {0, 1}) {
      for (const Index stride_b : {0, 1}) {
        CAPTURE(stride_a);
        CAPTURE(stride_b);
        const auto at = [&](const Floats& x, Index stride, Index i) { return static_cast<double>(x[5 + i * stride]); };
        for (const auto& entry : references) {
          const Binary op = entry.first;
          const auto reference = entry.second;
          CAPTURE(index(op));
          check_elementwise(
              [&](Index first, Index n, float* out) {
                kernels.binary[index(op)](a.data() + (stride_a ? first : 5), stride_a,
                                          b.data() + (stride_b ? first : 5), stride_b, out, n);
              },
              [&, reference = reference](Index i) {
                return reference(at(a, stride_a, stride_a ? i - 5 : 0), at(b, stride_b, stride_b ? i - 5 : 0));
              });
        }
        const auto backward = [&](BinaryBackward op, auto reference) {
          CAPTURE(index(op));
          check_elementwise(
              [&](Index first, Index n, float* out) {
                kernels.binary_backward[index(op)](a.data() + (stride_a ? first : 5), stride_a,
                                                   b.data() + (stride_b ? first : 5), stride_b, dy.data() + first, 1,
                                                   out, n);
              },
              [&](Index i) {
                return reference(at(a, stride_a, stride_a ? i - 5 : 0), at(b, stride_b, stride_b ? i - 5 : 0),
                                 static_cast<double>(dy[i]));
              },
              1e-6);
        };
        // Computed in float: products may overflow there that would not in double.
        backward(BinaryBackward::div_b, [](double u, double v, double g) {
          return static_cast<double>(-static_cast<float>(g) * (static_cast<float>(u) / static_cast<float>(v)) /
                                     static_cast<float>(v));
        });
        backward(BinaryBackward::maximum_a, [](double u, double v, double g) {
          return u == v ? g / 2 : u > v || u != u ? g : 0.0;
        });
        backward(BinaryBackward::minimum_a, [](double u, double v, double g) {
          return u == v ? g / 2 : u < v || u != u ? g : 0.0;
        });
      }
    }
  });
}

TEST_CASE("comparisons and choice") {
  const Floats a(special_numbers(longest, 8));
  std::vector<float> others = numbers(longest, 9);
  for (std::size_t i = 0; i < others.size(); i += 3) others[i] = a[static_cast<Index>(i)];
  const Floats b(others);
  on_each_isa([&](const IsaTable& kernels) {
    const auto check = [&](Compare op, auto holds) {
      for (Index n = 0; n <= longest; ++n) {
        Guarded<std::uint8_t> out(n, 9);
        kernels.compare[index(op)](a.data(), 1, b.data(), 1, reinterpret_cast<bool*>(out.data()), n);
        CHECK(out.intact());
        for (Index i = 0; i < n; ++i) CHECK(out[i] == (holds(a[i], b[i]) ? 1 : 0));
        kernels.compare[index(op)](a.data(), 1, b.data(), 0, reinterpret_cast<bool*>(out.data()), n);
        for (Index i = 0; i < n; ++i) CHECK(out[i] == (holds(a[i], b[0]) ? 1 : 0));
      }
    };
    check(Compare::equal, std::equal_to<>());
    check(Compare::not_equal, std::not_equal_to<>());
    check(Compare::less, std::less<>());
    check(Compare::less_equal, std::less_equal<>());

    Guarded<std::uint8_t> condition(longest);
    for (Index i = 0; i < longest; ++i) condition.data()[i] = static_cast<std::uint8_t>(i * i % 7 < 3);
    const bool* chosen = reinterpret_cast<const bool*>(condition.data());
    for (const Index stride : {0, 1}) {
      check_elementwise(
          [&](Index first, Index n, float* out) {
            kernels.choose(chosen + stride * first, stride, a.data() + first, 1, b.data(), 0, out, n);
          },
          [&](Index i) { return static_cast<double>(chosen[stride * i] ? a[i] : b[0]); });
    }
  });
}

TEST_CASE("accumulate and affine") {
  const Floats x(special_numbers(longest, 10)), start(numbers(longest, 11));
  on_each_isa([&](const IsaTable& kernels) {
    check_elementwise(
        [&](Index first, Index n, float* out) {
          std::copy_n(start.data() + first, n, out);
          kernels.accumulate(out, x.data() + first, n);
        },
        [&](Index i) { return static_cast<double>(start[i]) + static_cast<double>(x[i]); });
    check_elementwise([&](Index first, Index n, float* out) { kernels.affine(x.data() + first, -0.5f, 3.0f, out, n); },
                      [&](Index i) { return -0.5 * static_cast<double>(x[i]) + 3.0; });
  });
}

}  // namespace temper::kernels::test
