// Sparse parameters: steps by rows, against float64 references and against the optimizer of a dense parameter.

#include "tests/larger.hpp"
#include "tests/optim/rows.hpp"

#include <doctest/doctest.h>

#include <temper/autograd/ops/embedding.hpp>

using namespace temper_test;

namespace {

/// Row-wise references in double: per row or per element numbers, kept between updates.
using Numbers64 = std::vector<double>;

double largest(const Numbers64& numbers) {
  double result = 0.0;
  for (const double x : numbers) result = temper_test::larger(result, std::abs(x));
  return result;
}

void check_near(const Tensor& p, const Numbers64& expected, double tolerance) {
  double worst = 0.0;
  for (std::int64_t i = 0; i < p.numel(); ++i) {
    const double difference = static_cast<double>(p.data<float>()[i]) - expected[static_cast<std::size_t>(i)];
    worst = temper_test::larger(worst, std::abs(difference));
  }
  CHECK(worst <= tolerance * largest(expected));
}

Numbers64 in_double(const Tensor& x) {
  Numbers64 result;
  for (const float value : x.values<float>()) result.push_back(static_cast<double>(value));
  return result;
}

}  // namespace

TEST_CASE("exact rows have the bits of a dense parameter's, whenever they are read") {
  for (const Make& make : exact_ones()) {
    Parameter dense = table(false), sparse = table(true), read = table(true);
    const auto reference = make(dense), optimizer = make(sparse), with_reads = make(read);
    CAPTURE(reference->name());
    for (Step k = 0; k < 150; ++k) {
      for (Parameter* p : {&dense, &sparse, &read}) give(*p, k);
      const StepReport expected = reference->step();
      CHECK(optimizer->step().grad_norm == doctest::Approx(expected.grad_norm).epsilon(1e-12));
      with_reads->step();
      if (k % 7 == 3) CHECK(same(read, dense));
      if (k % 5 == 2) {
        Tensor ids = empty({3}, Dtype::i64);
        for (std::int64_t i = 0; i < 3; ++i) ids.mutable_data<std::int64_t>()[i] = (k * 11 + i * 7) % rows;
        CHECK(same(embedding(ids, read), embedding(ids, dense)));
      }
    }
    CHECK_FALSE(same(sparse.stored(), dense));  // something is owed
    CHECK(same(sparse, dense));
    CHECK(same(sparse.stored(), dense));
  }
}

TEST_CASE("exact AdamW against a dense one in double, over gaps in which the momentum dies out") {
  constexpr Step steps = 2500;
  constexpr double beta1 = 0.9, beta2 = 0.999, lr = 1e-2, eps = 1e-8, weight_decay = 0.1;
  Parameter sparse = table(true), read = table(true);
  const AdamWOptions options{.lr = lr, .weight_decay = weight_decay, .rows = Rows::exact};
  AdamW adamw({sparse}, options), with_reads({read}, options);
  Numbers64 p = in_double(start()), m(p.size()), v(p.size());
  for (Step k = 0; k < steps; ++k) {
    const double first = 1.0 - std::pow(beta1, static_cast<double>(k + 1));
    const double second = 1.0 - std::pow(beta2, static_cast<double>(k + 1));
    RowGradient now = gradient(k);
    if (k > 20 && k < 2400) {  // the upper half of the rows has a long gap
      std::int64_t kept = 0;
      while (kept < now.rows.numel() && now.rows.data<std::int64_t>()[kept] < rows / 2) ++kept;
      now = {now.rows.rows(0, kept), now.values.rows(0, kept)};
    }
    const Tensor all = now.dense(rows);
    for (std::size_t i = 0; i < p.size(); ++i) {
      const auto g = static_cast<double>(all.data<float>()[i]);
      m[i] = beta1 * m[i] + (1.0 - beta1) * g;
      v[i] = beta2 * v[i] + (1.0 - beta2) * g * g;
      p[i] -= lr * weight_decay * p[i];
      p[i] -= lr * (m[i] / first) / (std::sqrt(v[i] / second) + eps);
    }
    sparse.set_row_gradient({now.rows.clone(), now.values.clone()});
    read.set_row_gradient({now.rows.clone(), now.values.clone()});
    adamw.step();
    with_reads.step();
    if (k % 400 == 77) read.value();
    if (k == 19) check_near(read, p, 1e-6);
    if (k == 1500) check_near(read, p, 1e-5);
  }
  check_near(sparse, p, 2e-5);  // 2,500 roundings
  CHECK(same(sparse, read));    // and no bit depends on when it was read
}

TEST_CASE("lazy AdamW against float64: each row counts its own updates") {
  constexpr double beta1 = 0.9, beta2 = 0.999, lr = 1e-2, eps = 1e-8, weight_decay = 0.1;
  Parameter sparse = table(true);
  AdamW adamw({sparse}, {.lr = lr, .weight_decay = weight_decay});
  Numbers64 p = in_double(start()), m(p.size()), v(p.size()), t(rows);
  for (Step k = 0; k < 40; ++k) {
    const RowGradient now = gradient(k);
    for (std::int64_t n = 0; n < now.rows.numel(); ++n) {
      const auto row = static_cast<std::size_t>(now.rows.data<std::int64_t>()[n]);
      t[row] += 1.0;
      for (std::size_t c = 0; c < width; ++c) {
        const std::size_t i = row * width + c;
        const auto g = static_cast<double>(now.values.data<float>()[static_cast<std::size_t>(n) * width + c]);
        m[i] = beta1 * m[i] + (1.0 - beta1) * g;
        v[i] = beta2 * v[i] + (1.0 - beta2) * g * g;
        p[i] -= lr * weight_decay * p[i] + lr * (m[i] / (1.0 - std::pow(beta1, t[row]))) /
                                               (std::sqrt(v[i] / (1.0 - std::pow(beta2, t[row]))) + eps);
      }
    }
    give(sparse, k);
    adamw.step();
  }
  check_near(sparse, p, 1e-6);
  CHECK(std::ranges::equal(sparse.value().rows(rows - 1, rows).values<float>(),
                           start().rows(rows - 1, rows).values<float>()));
}

TEST_CASE("Adagrad by elements and by rows against float64") {
  constexpr double lr = 0.1, eps = 1e-10, initial = 0.01;
  for (const bool row_wise : {false, true}) {
    Parameter sparse = table(true);
    Adagrad adagrad({sparse}, {.lr = lr, .initial = initial, .row_wise = row_wise});
    Numbers64 p = in_double(start()), sum(p.size(), initial);
    for (Step k = 0; k < 40; ++k) {
      const RowGradient now = gradient(k);
      for (std::int64_t n = 0; n < now.rows.numel(); ++n) {
        const auto row = static_cast<std::size_t>(now.rows.data<std::int64_t>()[n]);
        const float* const g = now.values.data<float>() + n * width;
        double mean = 0.0;
        for (std::size_t c = 0; c < width; ++c) mean += static_cast<double>(g[c]) * static_cast<double>(g[c]) / width;
        for (std::size_t c = 0; c < width; ++c) {
          const std::size_t i = row * width + c;
          const auto x = static_cast<double>(g[c]);
          sum[i] += row_wise ? mean : x * x;
          p[i] -= lr * x / (std::sqrt(sum[i]) + eps);
        }
      }
      give(sparse, k);
      adagrad.step();
    }
    check_near(sparse, p, 1e-6);
  }
}

TEST_CASE("SGD without momentum and decay: lazy, exact and dense are the same") {
  Parameter dense = table(false), lazy = table(true), exact = table(true);
  SGD reference({dense}, {.lr = rate}), first({lazy}, {.lr = rate}), second({exact}, {.lr = rate, .rows = Rows::exact});
  for (Step k = 0; k < 20; ++k) {
    for (Parameter* p : {&dense, &lazy, &exact}) give(*p, k);
    for (Optimizer* optimizer : std::initializer_list<Optimizer*>{&reference, &first, &second}) optimizer->step();
  }
  CHECK(same(lazy.stored(), dense));
  CHECK(same(exact.stored(), dense));
}

TEST_CASE("lazy momentum is that of the row's own gradients") {
  Parameter sparse = table(true);
  SGD sgd({sparse}, {.lr = 0.1, .momentum = 0.9, .l2 = 0.01});
  Numbers64 p = in_double(start()), buffer(p.size());
  for (Step k = 0; k < 20; ++k) {
    const RowGradient now = gradient(k);
    for (std::int64_t n = 0; n < now.rows.numel(); ++n) {
      for (std::int64_t c = 0; c < width; ++c) {
        const auto i = static_cast<std::size_t>(now.rows.data<std::int64_t>()[n] * width + c);
        buffer[i] = 0.9 * buffer[i] + static_cast<double>(now.values.data<float>()[n * width + c]) + 0.01 * p[i];
        p[i] -= 0.1 * buffer[i];
      }
    }
    give(sparse, k);
    sgd.step();
  }
  check_near(sparse, p, 1e-6);
}

TEST_CASE("clipping a gradient of rows: the norm is that of the dense gradient, summed in another order") {
  Parameter dense = table(false), sparse = table(true);
  const AdamWOptions options{.lr = rate, .clip_norm = 0.1, .rows = Rows::exact};
  AdamW reference({dense}, options), optimizer({sparse}, options);
  for (Step k = 0; k < 30; ++k) {
    give(dense, k);
    give(sparse, k);
    const StepReport expected = reference.step({.divide_by = 3.0}), got = optimizer.step({.divide_by = 3.0});
    CHECK(got.clip < 1.0);
    CHECK(got.clip == doctest::Approx(expected.clip).epsilon(1e-12));
  }
  check_near(sparse, in_double(dense), 1e-6);
}
