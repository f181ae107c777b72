// Temper's kernels give the same bits with any number of threads.

#include <temper/core/parallel.hpp>
#include <temper/core/random.hpp>

#include "framework/kernels/attention.hpp"
#include "framework/kernels/dropout.hpp"
#include "framework/kernels/elementwise.hpp"
#include "framework/kernels/embedding.hpp"
#include "framework/kernels/layout.hpp"
#include "framework/kernels/loss.hpp"
#include "framework/kernels/matmul.hpp"
#include "framework/kernels/norm.hpp"
#include "framework/kernels/reduce.hpp"
#include "framework/kernels/softmax.hpp"
#include "tests/kernels/isa.hpp"

namespace temper::kernels::test {

namespace {

/// Restores the number of threads.
class Threads {
 public:
  Threads() = default;
  ~Threads() { set_threads(before_); }

 private:
  int before_ = threads();
};

/// run(out) writes `size` floats, which must have the same bits with 1 to 4 threads.
template <class Run>
void check_threads(const char* name, Index size, Run run) {
  const Threads restore;
  CAPTURE(name);
  std::vector<float> first;
  for (int count = 1; count <= 4; ++count) {
    CAPTURE(count);
    set_threads(count);
    std::vector<float> out(static_cast<std::size_t>(size), nan);
    run(out.data());
    if (count == 1) first = out;
    bool equal = true;
    for (std::size_t i = 0; i < out.size(); ++i) equal = equal && same_bits(out[i], first[i]);
    CHECK(equal);
    CHECK_FALSE(std::isnan(out.back()));
  }
}

}  // namespace

TEST_CASE("the same bits for 1 to 4 threads") {
  constexpr Index rows = 700, cols = 331, total = rows * cols;
  const std::vector<float> x = numbers(total, 1), t = numbers(total, 2), w = numbers(cols, 3);
  std::vector<std::int64_t> labels(rows);
  for (Index i = 0; i < rows; ++i) labels[static_cast<std::size_t>(i)] = i * 17 % 50;

  check_threads("binary, broadcast", total, [&](float* y) {
    binary(Binary::div, x.data(), {rows, cols}, w.data(), {cols}, y, {rows, cols});
  });
  check_threads("power", total, [&](float* y) {
    const float two = 2.5f;
    unary(Unary::exp, x.data(), y, total);
    power(y, {total}, &two, {}, y, {total});
  });
  check_threads("sum of all", 1, [&](float* y) { reduce(Reduce::sum, x.data(), 1, total, 1, 1.0f, y); });
  check_threads("sum of rows", rows, [&](float* y) { reduce(Reduce::sum, x.data(), rows, cols, 1, 1.0f, y); });
  check_threads("sum of columns", cols, [&](float* y) { sum_rows(x.data(), rows, cols, y, false); });
  check_threads("sum of narrow columns", 7, [&](float* y) { sum_rows(x.data(), total / 7, 7, y, false); });
  check_threads("largest in the middle", 7 * 31,
                [&](float* y) { reduce(Reduce::largest, x.data(), 7, total / 7 / 31, 31, 1.0f, y); });
  check_threads("softmax", total, [&](float* y) { CHECK_FALSE(softmax(x.data(), rows, cols, 1, false, y)); });
  check_threads("softmax down", total, [&](float* y) { CHECK_FALSE(softmax(x.data(), 1, rows, cols, true, y)); });
  check_threads("cross entropy", total, [&](float* dx) {
    const CrossEntropy task{rows, cols, labels.data(), 3, 0.1f};
    std::vector<float> losses(rows), stats(2 * rows);
    CHECK_FALSE(cross_entropy(task, x.data(), losses.data(), stats.data()));
    cross_entropy_backward(task, x.data(), stats.data(), losses.data(), 1, 0.5f, dx);
  });
  check_threads("norm backward", total + 2 * cols, [&](float* out) {
    std::vector<float> y(total), mean(rows), inverse(rows);
    norm(x.data(), rows, cols, w.data(), w.data(), 1e-5f, y.data(), mean.data(), inverse.data());
    norm_backward(x.data(), t.data(), rows, cols, w.data(), mean.data(), inverse.data(),
                  NormGradients<float>{.x = out, .weight = out + total, .bias = out + total + cols});
  });
  check_threads("sum and norm", 2 * total, [&](float* out) {
    std::vector<float> mean(rows), inverse(rows);
    add_norm(x.data(), t.data(), rows, cols, w.data(), w.data(), 1e-5f, out, out + total, mean.data(), inverse.data());
  });
  for (const Activation f : {Activation::relu, Activation::gelu}) {
    check_threads("activation with a bias, backward", total + cols, [&](float* out) {
      std::vector<float> y(total);
      bias_activation(f, x.data(), w.data(), rows, cols, y.data());
      bias_activation_backward(f, y.data(), w.data(), t.data(), rows, cols, out, out + total, false);
      bias_activation_backward(f, y.data(), w.data(), t.data(), rows, cols, out, out + total, true);
    });
  }
  check_threads("dropout", total, [&](float* y) {
    dropout(detail::RandomStream(1, detail::RandomUse::dropout, 2), 0.5, x.data(), y, total);
  });
  check_threads("embedding backward", 50 * cols, [&](float* dw) {
    std::fill_n(dw, 50 * cols, 0.0f);
    embedding_backward(x.data(), labels.data(), rows, cols, dw);
  });
  check_threads("permute", total, [&](float* y) {
    constexpr std::array<int, 3> order = {2, 0, 1};
    permute(x.data(), {7, 100, cols}, order, sizeof(float), y);
  });
}

TEST_CASE("long sums stay accurate") {
  // Three million equal terms: a plain sum in float would be off by several percent.
  const std::vector<float> x(3'000'000, 0.1f);
  float all;
  reduce(Reduce::sum, x.data(), 1, 3'000'000, 1, 1.0f, &all);
  CHECK(std::abs(static_cast<double>(all) / 300000.0 - 1.0) < 1e-6);
  std::vector<float> columns(3);
  sum_rows(x.data(), 1'000'000, 3, columns.data(), false);
  sum_rows(x.data(), 1'000'000, 3, columns.data(), true);
  for (const float sum : columns) CHECK(std::abs(static_cast<double>(sum) / 200000.0 - 1.0) < 2e-6);
  // Sums inside other kernels: the gradients of a bias before an activation, and of a norm's weight and bias.
  constexpr Index rows = 1'000'000, cols = 3;
  const auto exact = [](float sum) { return std::abs(static_cast<double>(sum) / 100000.0 - 1.0) < 1e-6; };
  std::vector<float> dx(rows * cols), sums(cols), products(cols);
  const std::vector<float> above(rows * cols, 1.0f), inverse(rows, 1.0f), mean(rows, 0.0f);
  bias_activation_backward(Activation::relu, above.data(), nullptr, x.data(), rows, cols, dx.data(), sums.data(),
                           false);
  for (const float sum : sums) CHECK(exact(sum));
  norm_backward(above.data(), x.data(), rows, cols, nullptr, mean.data(), inverse.data(),
                NormGradients<float>{.weight = products.data(), .bias = sums.data()});
  for (const float sum : sums) CHECK(exact(sum));
  for (const float sum : products) CHECK(exact(sum));
}

}  // namespace temper::kernels::test
