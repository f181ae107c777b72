// Image kernels in bf16 give the results of their f32 versions for the same numbers, rounded once, bit for bit.

#include <cstring>

#include "framework/kernels/batch_norm.hpp"
#include "framework/kernels/bfloat16.hpp"
#include "framework/kernels/conv.hpp"
#include "framework/kernels/onednn_version.hpp"
#include "framework/kernels/pool.hpp"
#include "isa.hpp"
#include "onednn_reference.hpp"

namespace temper::kernels::test {

namespace {

using Halves = Guarded<BFloat16>;

/// Random numbers that bf16 represents exactly, with special values among them if `special`.
std::vector<float> exact(Index n, unsigned seed, bool special) {
  std::vector<float> values = special ? special_numbers(n, seed) : numbers(n, seed);
  for (float& value : values) value = widened(narrowed<BFloat16>(value));
  return values;
}

Halves halves(const std::vector<float>& values) {
  Halves result(static_cast<Index>(values.size()));
  for (std::size_t i = 0; i < values.size(); ++i) result.data()[i] = narrowed<BFloat16>(values[i]);
  return result;
}

/// Whether `got` is `expected` rounded.
bool rounded(const Halves& got, const Floats& expected) {
  bool equal = got.intact() && got.size() == expected.size();
  for (Index i = 0; equal && i < got.size(); ++i) {
    equal = same_bits(widened(got[i]), widened(narrowed<BFloat16>(expected[i])));
  }
  return equal;
}

bool same(const Floats& a, const Floats& b) {
  bool equal = a.intact() && b.intact();
  for (Index i = 0; i < a.size(); ++i) equal = equal && same_bits(a[i], b[i]);
  return equal;
}

void check_batch_norm(const IsaTable& table, Index rows, Index cols, bool special) {
  const std::vector<float> x = exact(rows * cols, 1, special), dy = exact(rows * cols, 2, special);
  const std::vector<float> residual = exact(rows * cols, 3, special);
  const Halves x16 = halves(x), dy16 = halves(dy), residual16 = halves(residual);
  const std::vector<float> scale = numbers(cols, 4), bias = numbers(cols, 5), slope = numbers(cols, 6);
  Floats mean(cols), squares(cols), mean16(cols), squares16(cols);
  table.column_moments(x.data(), rows, cols, mean.data(), squares.data());
  table.bf16.column_moments(x16.data(), rows, cols, mean16.data(), squares16.data());
  CHECK(same(mean, mean16));
  CHECK(same(squares, squares16));
  for (const bool added : {false, true}) {
    for (const bool relu : {false, true}) {
      Floats y(rows * cols);
      Halves y16(rows * cols);
      table.batch_norm({x.data(), mean.data(), scale.data(), bias.data(), added ? residual.data() : nullptr, relu},
                       rows, cols, y.data());
      table.bf16.batch_norm(
          {x16.data(), mean.data(), scale.data(), bias.data(), added ? residual16.data() : nullptr, relu}, rows, cols,
          y16.data());
      CHECK(rounded(y16, y));
      // The gradient depends on the rounded output.
      for (Index i = 0; i < rows * cols; ++i) y.data()[i] = widened(y16[i]);
      const BatchNormGradient<float> gradient{x.data(), relu ? y.data() : nullptr, dy.data(), mean.data()};
      const BatchNormGradient<BFloat16> gradient16{x16.data(), relu ? y16.data() : nullptr, dy16.data(), mean.data()};
      Floats sum(cols), product(cols), sum16(cols), product16(cols), dx(rows * cols), dresidual(rows * cols);
      table.batch_norm_sums(gradient, rows, cols, sum.data(), product.data());
      table.bf16.batch_norm_sums(gradient16, rows, cols, sum16.data(), product16.data());
      CHECK(same(sum, sum16));
      CHECK(same(product, product16));
      Halves dx16(rows * cols), dresidual16(rows * cols);
      const BatchNormFactors factors{scale.data(), bias.data(), slope.data()};
      table.batch_norm_backward(gradient, rows, cols, factors, dx.data(), dresidual.data());
      table.bf16.batch_norm_backward(gradient16, rows, cols, factors, dx16.data(), dresidual16.data());
      CHECK(rounded(dx16, dx));
      CHECK(rounded(dresidual16, dresidual));
    }
  }
}

void check_pool(const IsaTable& table, Pool2d s, bool special) {
  s.out_h = (s.h + 2 * s.padding_h - s.kernel_h) / s.stride_h + 1;
  s.out_w = (s.w + 2 * s.padding_w - s.kernel_w) / s.stride_w + 1;
  const Index in = s.n * s.h * s.w * s.channels, out = s.n * s.out_h * s.out_w * s.channels;
  const std::vector<float> x = exact(in, 7, special), dy = exact(out, 8, special);
  const Halves x16 = halves(x), dy16 = halves(dy);
  Floats y(out), dx(in);
  Halves y16(out), dx16(in);
  Guarded<unsigned char> which(out * s.number_bytes()), which16(out * s.number_bytes());
  const auto bytes = [](Guarded<unsigned char>& numbers) { return reinterpret_cast<std::byte*>(numbers.data()); };
  for (const bool relu : {false, true}) {
    s.relu = relu;
    table.max_pool(s, 0, s.n * s.out_h, x.data(), y.data(), bytes(which));
    table.bf16.max_pool(s, 0, s.n * s.out_h, x16.data(), y16.data(), bytes(which16));
    CHECK(rounded(y16, y));
    CHECK(std::equal(which.data(), which.data() + which.size(), which16.data()));
    CHECK((which.intact() && which16.intact()));
    table.max_pool_backward(s, 0, s.n * s.h, dy.data(), bytes(which), dx.data());
    table.bf16.max_pool_backward(s, 0, s.n * s.h, dy16.data(), bytes(which), dx16.data());
    CHECK(rounded(dx16, dx));
  }
  for (const bool count_padding : {false, true}) {
    s.count_padding = count_padding;
    table.avg_pool(s, 0, s.n * s.out_h, x.data(), y.data());
    table.bf16.avg_pool(s, 0, s.n * s.out_h, x16.data(), y16.data());
    CHECK(rounded(y16, y));
    table.avg_pool_backward(s, 0, s.n * s.h, dy.data(), dx.data());
    table.bf16.avg_pool_backward(s, 0, s.n * s.h, dy16.data(), dx16.data());
    CHECK(rounded(dx16, dx));
  }
}

/// Compares a convolution of random bf16 numbers with sums in double: results are rounded to bf16 once, at the end; the
/// gradient of the weights is f32.
void check_conv(const Conv2d& s) {
  const Index inputs = s.n * s.h * s.w * s.in, outputs = s.n * s.out_h() * s.out_w() * s.out;
  const std::vector<float> x = exact(inputs, 9, false), weight = exact(s.weights(), 10, false);
  const std::vector<float> dy = exact(outputs, 11, false), bias = numbers(s.out, 12), before = numbers(s.weights(), 13);
  reference::Sums y(static_cast<std::size_t>(outputs)), dx(x.size()), dw(weight.size());
  for (Index n = 0; n < s.n; ++n) {
    for (Index row = 0; row < s.out_h(); ++row) {
      for (Index column = 0; column < s.out_w(); ++column) {
        for (Index o = 0; o < s.out; ++o) {
          const auto iy = static_cast<std::size_t>(((n * s.out_h() + row) * s.out_w() + column) * s.out + o);
          y[iy].add(bias[static_cast<std::size_t>(o)]);
          for (Index i = 0; i < s.kernel_h; ++i) {
            for (Index j = 0; j < s.kernel_w; ++j) {
              const Index h = row * s.stride_h - s.padding_h + i, w = column * s.stride_w - s.padding_w + j;
              if (h < 0 || h >= s.h || w < 0 || w >= s.w) continue;
              for (Index c = 0; c < s.in; ++c) {
                const auto ix = static_cast<std::size_t>(((n * s.h + h) * s.w + w) * s.in + c);
                const auto iw = static_cast<std::size_t>(((o * s.in + c) * s.kernel_h + i) * s.kernel_w + j);
                y[iy].add(double{x[ix]} * weight[iw]);
                dx[ix].add(double{dy[iy]} * weight[iw]);
                dw[iw].add(double{dy[iy]} * x[ix]);
              }
            }
          }
        }
      }
    }
  }
  const Halves x16 = halves(x), weight16 = halves(weight), dy16 = halves(dy);
  Halves got_y(outputs), got_dx(inputs), got_dw16(s.weights());
  Floats got_dw(s.weights()), added(before);
  conv2d(s, x16.data(), weight16.data(), bias.data(), got_y.data());
  conv2d_backward_data(s, dy16.data(), weight16.data(), got_dx.data());
  conv2d_backward_weights(s, x16.data(), dy16.data(), got_dw.data(), false);
  conv2d_backward_weights(s, x16.data(), dy16.data(), added.data(), true);
  conv2d_backward_weights(s, x16.data(), dy16.data(), got_dw16.data(), false);
  // A product of two bf16 is exact in float. The errors are those of the float sum, 5e-6 of its terms as for f32, and
  // half a unit in the last of the 8 bits.
  const auto close = [](const auto& got, const reference::Sums& expected, double digits) {
    double worst = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const double value = widened(got[static_cast<Index>(i)]);
      const double error = std::abs(value - expected[i].value);
      const double allowed = digits * std::abs(expected[i].value) + 5e-6 * expected[i].size;
      worst = std::max(worst, std::isnan(error) ? 1e30 : error / std::max(allowed, 1e-30));
    }
    return worst <= 1.0;
  };
  constexpr double half_digit = 1.0 / 256;
  CHECK(close(got_y, y, half_digit));
  CHECK(close(got_dx, dx, half_digit));
  CHECK(close(got_dw, dw, 0));
  CHECK(close(got_dw16, dw, half_digit));
  for (std::size_t i = 0; i < dw.size(); ++i) dw[i].add(before[i]);
  CHECK(close(added, dw, 0));
  CHECK((got_y.intact() && got_dx.intact() && got_dw.intact() && added.intact() && got_dw16.intact()));
}

}  // namespace

TEST_CASE("batch normalization in bf16 is that in f32, rounded") {
  on_each_isa([](const IsaTable& table) {
    for (const bool special : {false, true}) {
      for (Index cols = 1; cols <= 40; ++cols) check_batch_norm(table, 1 + cols % 7, cols, special);
      check_batch_norm(table, 64, 64, special);
    }
  });
}

TEST_CASE("pooling in bf16 is that in f32, rounded") {
  on_each_isa([](const IsaTable& table) {
    for (const bool special : {false, true}) {
      for (const Index channels : {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33}) {
        check_pool(
            table,
            {.n = 2, .h = 6, .w = 4, .channels = channels, .kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2},
            special);
        check_pool(table,
                   {.n = 2,
                    .h = 7,
                    .w = 6,
                    .channels = channels,
                    .kernel_h = 3,
                    .kernel_w = 4,
                    .stride_h = 2,
                    .padding_h = 1,
                    .padding_w = 2},
                   special);
      }
      check_pool(table, {.n = 1, .h = 18, .w = 17, .channels = 5, .kernel_h = 17, .kernel_w = 16}, special);
    }
  });
}

TEST_CASE("conv2d in bf16 agrees with double loops over the same numbers") {
  if (!has_bf16()) {
    MESSAGE("skipped: this CPU does not multiply bf16");
    return;
  }
  for (const Index channels : {1, 3, 8, 16, 17, 33}) {
    check_conv({.n = 2,
                .h = 6,
                .w = 5,
                .in = channels,
                .out = 16,
                .kernel_h = 3,
                .kernel_w = 3,
                .padding_h = 1,
                .padding_w = 1});
    check_conv({.n = 1,
                .h = 8,
                .w = 8,
                .in = 16,
                .out = channels,
                .kernel_h = 3,
                .kernel_w = 3,
                .stride_h = 2,
                .stride_w = 2,
                .padding_h = 1,
                .padding_w = 1});
    check_conv({.n = 2, .h = 5, .w = 4, .in = channels, .out = 32, .stride_h = 2, .stride_w = 2});
  }
}

}  // namespace temper::kernels::test
