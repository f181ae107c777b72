// Kernels on bf16 elements give, on every instruction set, the results of the float kernels on the widened elements,
// rounded once, bit for bit.

#include <algorithm>
#include <bit>
#include <functional>

#include "framework/kernels/bfloat16.hpp"
#include "tests/kernels/isa.hpp"

namespace temper::kernels::test {

namespace {

using Halves = std::vector<BFloat16>;
using Wide = std::vector<float>;

Halves rounded(const Wide& x) {
  Halves y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = narrowed<BFloat16>(x[i]);
  return y;
}

Wide widened_all(const Halves& x) {
  Wide y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = widened(x[i]);
  return y;
}

/// Equal bits, or both NaN.
bool same(const Halves& a, const Halves& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!same_bits(widened(a[i]), widened(b[i]))) return false;
  }
  return a.size() == b.size();
}

constexpr BFloat16 guard_value{0x4321};
constexpr Index margin = 17;

/// Runs narrow(y) and wide(y) on outputs of n elements. The first must be the second rounded, and its guards unchanged.
void check(Index n, const std::function<void(BFloat16*)>& narrow, const std::function<void(float*)>& wide,
           const Halves& before = {}) {
  Halves y(static_cast<std::size_t>(n + 2 * margin), guard_value);
  std::ranges::copy(before, y.begin() + margin);
  narrow(y.data() + margin);
  Wide z(static_cast<std::size_t>(n) + 1);
  std::ranges::transform(before, z.begin(), [](BFloat16 x) { return widened(x); });
  wide(z.data());
  z.resize(static_cast<std::size_t>(n));
  CHECK(same(Halves(y.begin() + margin, y.end() - margin), rounded(z)));
  bool intact = true;
  for (Index i = 0; i < margin; ++i) {
    intact = intact && y[static_cast<std::size_t>(i)].bits == guard_value.bits &&
             y[static_cast<std::size_t>(n + margin + i)].bits == guard_value.bits;
  }
  CHECK(intact);
}

}  // namespace

TEST_CASE("all instruction sets convert bf16 alike: every number, and floats between two of them") {
  Wide all;
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    for (const std::uint32_t rest : {0u, 1u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
      all.push_back(std::bit_cast<float>(bits << 16 | rest));
    }
  }
  const Halves expected = rounded(all);
  on_each_isa([&](const IsaTable& kernels) {
    Halves y(all.size());
    kernels.bf16.from_float(all.data(), y.data(), static_cast<Index>(all.size()));
    bool equal = true;
    for (std::size_t i = 0; i < all.size(); ++i) equal = equal && y[i].bits == expected[i].bits;
    CHECK(equal);
    Wide z(all.size());
    kernels.bf16.to_float(y.data(), z.data(), static_cast<Index>(all.size()));
    for (std::size_t i = 0; i < all.size(); ++i) {
      equal = equal && std::bit_cast<std::uint32_t>(z[i]) == std::uint32_t{y[i].bits} << 16;
    }
    CHECK(equal);
  });
}

TEST_CASE("elementwise kernels of bf16 are those of float, rounded") {
  on_each_isa([](const IsaTable& kernels) {
    for (const Index n : {1, 7, 16, 33, 70}) {
      CAPTURE(n);
      const Halves x = rounded(special_numbers(n, 1)), dy = rounded(numbers(n, 2));
      const Wide wx = widened_all(x), wdy = widened_all(dy);
      for (std::size_t op = 0; op < static_cast<std::size_t>(Unary::count); ++op) {
        CAPTURE(op);
        check(
            n, [&](BFloat16* y) { kernels.bf16.unary[op](x.data(), y, n); },
            [&](float* y) { kernels.unary[op](wx.data(), y, n); });
        check(
            n, [&](BFloat16* y) { kernels.bf16.unary_backward[op](x.data(), dy.data(), y, n); },
            [&](float* y) { kernels.unary_backward[op](wx.data(), wdy.data(), y, n); });
      }
      for (std::size_t op = 0; op < static_cast<std::size_t>(Binary::count); ++op) {
        for (const Index a : {1, 0}) {
          for (const Index b : {1, 0}) {
            CAPTURE(op);
            check(
                n, [&](BFloat16* y) { kernels.bf16.binary[op](x.data(), a, dy.data(), b, y, n); },
                [&](float* y) { kernels.binary[op](wx.data(), a, wdy.data(), b, y, n); });
          }
        }
      }
      check(
          n, [&](BFloat16* y) { kernels.bf16.accumulate(y, x.data(), n); },
          [&](float* y) { kernels.accumulate(y, wx.data(), n); }, dy);
      check(
          n, [&](BFloat16* y) { kernels.bf16.affine(x.data(), 0.3f, 1.7f, y, n); },
          [&](float* y) { kernels.affine(wx.data(), 0.3f, 1.7f, y, n); });
      const std::uint32_t key[2] = {1, 2}, nonce[2] = {3, 4};
      check(
          n, [&](BFloat16* y) { kernels.bf16.dropout(key, nonce, 5, 0x1p22f, 1.25f, x.data(), y, n); },
          [&](float* y) { kernels.dropout(key, nonce, 5, 0x1p22f, 1.25f, wx.data(), y, n); });
      const Wide bias = numbers(n, 4);
      for (std::size_t f = 0; f < static_cast<std::size_t>(Activation::count); ++f) {
        CAPTURE(f);
        check(
            n, [&](BFloat16* y) { kernels.bf16.bias_activation[f](x.data(), bias.data(), 1, n, y); },
            [&](float* y) { kernels.bias_activation[f](wx.data(), bias.data(), 1, n, y); });
        Wide sums(static_cast<std::size_t>(n)), wide_sums = sums;
        check(
            n,
            [&](BFloat16* dz) {
              kernels.bf16.bias_activation_backward[f](x.data(), bias.data(), dy.data(), 1, n, dz, sums.data());
            },
            [&](float* dz) {
              kernels.bias_activation_backward[f](wx.data(), bias.data(), wdy.data(), 1, n, dz, wide_sums.data());
            });
        for (std::size_t i = 0; i < sums.size(); ++i) CHECK(same_bits(sums[i], wide_sums[i]));
      }
      Wide sum = numbers(n, 3), wide_sum = sum;
      kernels.bf16.accumulate_in_float(sum.data(), dy.data(), n);
      kernels.accumulate(wide_sum.data(), wdy.data(), n);
      CHECK(sum == wide_sum);
    }
  });
}

TEST_CASE("kernels of bf16 that work along lines are those of float, rounded") {
  on_each_isa([](const IsaTable& kernels) {
    constexpr Index rows = 3;
    for (const Index cols : {1, 7, 16, 33, 70}) {
      CAPTURE(cols);
      const Index n = rows * cols;
      const Halves x = rounded(numbers(n, 4)), dy = rounded(numbers(n, 5));
      const Wide wx = widened_all(x), wdy = widened_all(dy), weight = numbers(cols, 6), bias = numbers(cols, 7);
      Wide mean(rows), inverse(rows);
      check(
          n,
          [&](BFloat16* y) {
            kernels.bf16.norm(x.data(), rows, cols, weight.data(), bias.data(), 1e-5f, y, mean.data(), inverse.data());
          },
          [&](float* y) {
            Wide means(rows), inverses(rows);
            kernels.norm(wx.data(), rows, cols, weight.data(), bias.data(), 1e-5f, y, means.data(), inverses.data());
            CHECK(means == mean);
            CHECK(inverses == inverse);
          });
      Wide dw(static_cast<std::size_t>(cols)), db = dw;
      for (const bool accumulate : {false, true}) {
        check(
            n,
            [&](BFloat16* dx) {
              kernels.bf16.norm_backward(x.data(), dy.data(), rows, cols, weight.data(), mean.data(), inverse.data(),
                                         dx, accumulate, dw.data(), db.data());
            },
            [&](float* dx) {
              Wide dws(static_cast<std::size_t>(cols)), dbs = dws;
              kernels.norm_backward(wx.data(), wdy.data(), rows, cols, weight.data(), mean.data(), inverse.data(), dx,
                                    accumulate, dws.data(), dbs.data());
              if (!accumulate) {
                CHECK(dws == dw);
                CHECK(dbs == db);
              }
            },
            dy);
      }
      float top = 0, wide_top = 0;
      double sum = 0, wide_sum = 0;
      kernels.bf16.log_sum_exp(x.data(), cols, &top, &sum);
      kernels.log_sum_exp(wx.data(), cols, &wide_top, &wide_sum);
      CHECK(top == wide_top);
      CHECK(sum == wide_sum);
      CHECK(kernels.bf16.sum(x.data(), n) == kernels.sum(wx.data(), n));
      CHECK(kernels.bf16.dot(x.data(), dy.data(), n) == kernels.dot(wx.data(), wdy.data(), n));
      check(
          cols, [&](BFloat16* dx) { kernels.bf16.cross_entropy_backward(x.data(), cols, top, 0.1f, 0.02f, 3.0f, dx); },
          [&](float* dx) { kernels.cross_entropy_backward(wx.data(), cols, top, 0.1f, 0.02f, 3.0f, dx); });
      Wide stats(2), wide_stats(2);
      check(
          cols,
          [&](BFloat16* y) {
            Wide scores = wx;
            kernels.bf16.exponentials(scores.data(), cols, 0.7f, y, stats.data());
          },
          [&](float* y) {
            Wide scores = wx;
            kernels.exponentials(scores.data(), cols, 0.7f, y, wide_stats.data());
          });
      CHECK(stats == wide_stats);
      Halves spare(static_cast<std::size_t>(cols));
      Wide wide_spare(static_cast<std::size_t>(cols));
      check(
          cols,
          [&](BFloat16* ds) {
            kernels.bf16.attention_backward(wx.data(), wdy.data(), cols, 0.7f, stats.data(), 0.2f, 0.7f, spare.data(),
                                            ds);
          },
          [&](float* ds) {
            kernels.attention_backward(wx.data(), wdy.data(), cols, 0.7f, stats.data(), 0.2f, 0.7f, wide_spare.data(),
                                       ds);
          });
      CHECK(same(spare, rounded(wide_spare)));
      Wide columns(static_cast<std::size_t>(cols)), wide_columns = columns;
      kernels.bf16.sum_rows(x.data(), rows, cols, cols, columns.data());
      kernels.sum_rows(wx.data(), rows, cols, cols, wide_columns.data());
      CHECK(columns == wide_columns);
    }
  });
}

}  // namespace temper::kernels::test
