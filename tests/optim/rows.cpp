// Sparse parameters: steps by rows, against float64 references and against the optimizer of a dense parameter.

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include <temper/autograd/ops/embedding.hpp>
#include <temper/core/errors.hpp>
#include <temper/core/parallel.hpp>
#include <temper/optim/optim.hpp>

#include "framework/kernels/isa.hpp"
#include "optim/kernels/table.hpp"
#include "tests/optim/numbers_internal.hpp"

using namespace temper;
using namespace temper::optim;

namespace {

constexpr std::int64_t rows = 40, width = 13;

Tensor start() {
  Numbers numbers;
  Tensor x = empty({rows, width});
  for (float& value : x.mutable_values<float>()) value = numbers();
  return x;
}

Parameter table(bool sparse, const Tensor& value = start()) {
  Parameter parameter = Parameter(value.clone(), Role::embedding).named("table");
  if (sparse) parameter.make_sparse();
  return parameter;
}

/// The gradient of step k: low rows often have one, the highest seldom, the last never.
RowGradient gradient(Step k) {
  std::mt19937 generator(static_cast<unsigned>(k) + 1);
  std::vector<std::int64_t> chosen;
  for (std::int64_t row = 0; row + 1 < rows; ++row) {
    if (generator() % static_cast<unsigned>(1 + row * row / 8) == 0) chosen.push_back(row);
  }
  RowGradient result{empty({static_cast<std::int64_t>(chosen.size())}, Dtype::i64),
                     empty({static_cast<std::int64_t>(chosen.size()), width})};
  std::ranges::copy(chosen, result.rows.mutable_values<std::int64_t>().begin());
  for (float& x : result.values.mutable_values<float>()) {
    x = std::ldexp(static_cast<float>(static_cast<std::int32_t>(generator())),
                   -31 - static_cast<int>(generator() % 12));
  }
  return result;
}

void give(Parameter& parameter, Step k) {
  if (parameter.sparse()) {
    parameter.set_row_gradient(gradient(k));
  } else {
    parameter.set_gradient(gradient(k).dense(rows));
  }
}

bool same(const Tensor& a, const Tensor& b) { return std::ranges::equal(a.values<float>(), b.values<float>()); }

using Make = std::function<std::unique_ptr<Optimizer>(const Parameter&)>;

struct Restore {
  int threads_before = threads();
  ~Restore() {
    set_threads(threads_before);
    optim_kernels::use(kernels::isa());
  }
};

const Schedule rate = 0.1 * warmup(5).then(cosine(200)), decay = 0.1 * cosine(300);

std::vector<Make> exact_ones() {
  return {
      [](const Parameter& p) {
        return std::make_unique<AdamW>(
            Groups{p},
            AdamWOptions{
                .lr = rate, .beta1 = 0.9 + 0.05 * linear_decay(50), .weight_decay = decay, .rows = Rows::exact});
      },
      [](const Parameter& p) {
        return std::make_unique<Adam>(Groups{p}, AdamOptions{.lr = rate, .l2 = decay, .rows = Rows::exact});
      },
      [](const Parameter& p) {
        return std::make_unique<SGD>(Groups{p},
                                     SGDOptions{.lr = rate, .momentum = 0.9, .nesterov = true, .rows = Rows::exact});
      },
      [](const Parameter& p) {
        return std::make_unique<SGDW>(
            Groups{p},
            SGDWOptions{.lr = rate, .momentum = 0.9, .dampening = 0.5, .weight_decay = decay, .rows = Rows::exact});
      },
      [](const Parameter& p) {
        return std::make_unique<SGDW>(Groups{p}, SGDWOptions{.lr = rate, .weight_decay = decay, .rows = Rows::exact});
      },
      [](const Parameter& p) {
        return std::make_unique<SGD>(Groups{p}, SGDOptions{.lr = rate, .l2 = decay, .rows = Rows::exact});
      },
  };
}

std::vector<Make> lazy_ones() {
  return {
      [](const Parameter& p) {
        return std::make_unique<AdamW>(Groups{p}, AdamWOptions{.lr = rate, .weight_decay = decay, .clip_norm = 1.5});
      },
      [](const Parameter& p) {
        return std::make_unique<Adam>(Groups{p},
                                      AdamOptions{.lr = rate, .amsgrad = true, .rounding = Rounding::compensated});
      },
      [](const Parameter& p) { return std::make_unique<SGD>(Groups{p}, SGDOptions{.lr = rate, .momentum = 0.9}); },
      [](const Parameter& p) {
        return std::make_unique<Adagrad>(Groups{p}, AdagradOptions{.lr = rate, .initial = 0.1});
      },
      [](const Parameter& p) {
        return std::make_unique<Adagrad>(Groups{p}, AdagradOptions{.lr = rate, .row_wise = true});
      },
  };
}

/// Row-wise references in double: per row or per element numbers, kept between updates.
using Numbers64 = std::vector<double>;

double largest(const Numbers64& numbers) {
  double result = 0.0;
  for (const double x : numbers) result = std::max(result, std::abs(x));
  return result;
}

void check_near(const Tensor& p, const Numbers64& expected, double tolerance) {
  double worst = 0.0;
  for (std::int64_t i = 0; i < p.numel(); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(p.data<float>()[i]) - expected[static_cast<std::size_t>(i)]));
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

TEST_CASE("steps by rows have the same bits with any number of threads and instruction set") {
  const Restore restore;
  std::vector<Make> all = exact_ones();
  for (Make& make : lazy_ones()) all.push_back(std::move(make));
  for (const Make& make : all) {
    Tensor expected;
    for (const kernels::Isa isa : {kernels::Isa::sse2, kernels::Isa::avx2, kernels::Isa::avx512}) {
      if (!kernels::supported(isa)) continue;
      optim_kernels::use(isa);
      for (const int count : {1, 2, 4}) {
        set_threads(count);
        Parameter sparse = table(true);
        const auto optimizer = make(sparse);
        for (Step k = 0; k < 250; ++k) {
          give(sparse, k);
          optimizer->step({.measure = k % 3 == 0});
        }
        if (!expected.defined()) expected = sparse.value().clone();
        CAPTURE(optimizer->name());
        CHECK(same(sparse, expected));
      }
    }
  }
}

TEST_CASE("long rows, wider than a piece of work") {
  const Restore restore;
  for (const int count : {1, 3}) {
    set_threads(count);
    Parameter dense(full({5, 9001}, 1.0f), Role::embedding), sparse(full({5, 9001}, 1.0f), Role::embedding);
    sparse.make_sparse();
    AdamW reference({dense}, {.clip_norm = 1.0}), optimizer({sparse}, {.clip_norm = 1.0, .rows = Rows::exact});
    for (Step k = 0; k < 6; ++k) {
      RowGradient now{empty({2}, Dtype::i64), full({2, 9001}, 0.5f)};
      now.rows.mutable_data<std::int64_t>()[0] = k % 3;
      now.rows.mutable_data<std::int64_t>()[1] = 3;
      dense.set_gradient(now.dense(5));
      sparse.set_row_gradient(now);
      const StepReport expected = reference.step({.measure = true}), got = optimizer.step({.measure = true});
      CHECK(got.grad_norm == doctest::Approx(expected.grad_norm));
      CHECK(got.update_ratio > 0.0);
    }
    CHECK(same(sparse, dense));
  }
}

TEST_CASE("a state saved while rows are owed updates goes on with the same bits") {
  std::vector<Make> all = exact_ones();
  for (Make& make : lazy_ones()) all.push_back(std::move(make));
  for (const Make& make : all) {
    Parameter straight = table(true), stopped = table(true);
    const auto first = make(straight);
    auto second = make(stopped);
    CAPTURE(first->name());
    for (Step k = 0; k < 1300; ++k) {  // past the number of updates that are kept
      give(straight, k);
      give(stopped, k);
      first->step();
      second->step();
      if (k % 611 != 10) continue;
      OptimizerState saved = second->state();
      for (auto& [name, tensor] : saved.tensors) tensor = tensor.clone();
      second.reset();
      Parameter resumed = table(true, stopped.value());
      second = make(resumed);
      second->load(saved);
      stopped = resumed;
    }
    CHECK(same(stopped, straight));
  }
}

TEST_CASE("averages and Lookahead of a sparse parameter are those of a dense one") {
  const Make make = exact_ones()[0];
  Parameter dense = table(false), sparse = table(true);
  const auto reference = make(dense), optimizer = make(sparse);
  for (Optimizer* each : {reference.get(), optimizer.get()}) {
    each->average({.every = 4});
    each->look_ahead({.every = 5, .share = 0.5});
    each->clip_adaptively({.clipping = 0.5, .skip = [](const Parameter&) { return false; }});
  }
  for (Step k = 0; k < 60; ++k) {
    give(dense, k);
    give(sparse, k);
    reference->step();
    optimizer->step();
  }
  CHECK(same(optimizer->averaged(sparse), reference->averaged(dense)));
  CHECK(same(sparse, dense));
  optimizer->swap_averages();
  reference->swap_averages();
  CHECK(same(sparse, dense));
  optimizer->swap_averages();
  give(sparse, 60);
  optimizer->step();
}

TEST_CASE("a sparse parameter in bf16 is its f32 master, rounded") {
  for (const Rows mode : {Rows::lazy, Rows::exact}) {
    Tensor narrow = empty({rows, width}, Dtype::bf16), wide = empty({rows, width});
    const Tensor first = start();
    optim_kernels::current().to_bf16(first.data<float>(),
                                     reinterpret_cast<std::uint16_t*>(narrow.mutable_data<BFloat16>()), first.numel());
    for (std::int64_t i = 0; i < wide.numel(); ++i) {
      wide.mutable_data<float>()[i] = std::bit_cast<float>(std::uint32_t{narrow.data<BFloat16>()[i].bits} << 16);
    }
    Parameter small = table(true, narrow), large = table(true, wide);
    AdamW a({small}, {.lr = rate, .rows = mode}), b({large}, {.lr = rate, .rows = mode});
    b.keep_bf16();
    for (Step k = 0; k < 50; ++k) {
      give(small, k);
      give(large, k);
      a.step();
      b.step();
    }
    large.value();  // what is owed is paid
    const Tensor expected = b.bf16(large);
    std::int64_t different = 0;
    for (std::int64_t i = 0; i < expected.numel(); ++i) {
      different += small.value().data<BFloat16>()[i].bits != expected.data<BFloat16>()[i].bits ? 1 : 0;
    }
    CHECK(different == 0);
  }
}

TEST_CASE("gradients of rows that are not finite are raised, skipped or zeroed") {
  const auto bad = [](Step k) {
    RowGradient now = gradient(k);
    now.values.mutable_data<float>()[5] = std::nanf("");
    return now;
  };
  for (const NonFinite what : {NonFinite::raise, NonFinite::skip, NonFinite::zero}) {
    Parameter sparse = table(true), other = table(true);
    AdamW adamw({sparse}, {.lr = rate, .nonfinite = what, .rows = Rows::exact}),
        reference({other}, {.lr = rate, .rows = Rows::exact});
    for (Step k = 0; k < 10; ++k) {
      give(sparse, k);
      give(other, k);
      adamw.step();
      reference.step();
    }
    sparse.set_row_gradient(bad(10));
    if (what == NonFinite::raise) {
      CHECK_THROWS_WITH_AS(adamw.step(), "AdamW: the gradient of 'table' is not finite at k = 10; nothing was updated",
                           ValueError);
    } else {
      CHECK(adamw.step().applied == (what == NonFinite::zero));
    }
    if (what == NonFinite::zero) {
      RowGradient zeroed = bad(10);
      zeroed.values.mutable_data<float>()[5] = 0.0f;
      other.set_row_gradient(zeroed);
      reference.step();
    }
    CHECK(same(sparse, other));
  }
}

TEST_CASE("an optimizer that ends pays what it owes, and so do loading and a new value") {
  const Make make = exact_ones()[0];
  Parameter dense = table(false), sparse = table(true);
  {
    const auto reference = make(dense), optimizer = make(sparse);
    for (Step k = 0; k < 30; ++k) {
      give(dense, k);
      give(sparse, k);
      reference->step();
      optimizer->step();
    }
    CHECK_FALSE(same(sparse.stored(), dense));
  }
  CHECK(same(sparse.stored(), dense));
  const auto optimizer = make(sparse);  // which another one may now owe
  give(sparse, 1);
  optimizer->step();
  sparse.set_value(start());
  CHECK(same(sparse, start()));
}

TEST_CASE("a dense and a sparse parameter in one optimizer, and a step without a row") {
  Parameter weight(full({7}, 1.0f), Role::weight), alone(full({7}, 1.0f), Role::weight), sparse = table(true);
  weight = weight.named("weight");
  Adagrad adagrad({weight, sparse}, {.row_wise = true}), reference({alone});
  for (Step k = 0; k < 5; ++k) {
    weight.set_gradient(full({7}, 0.5f));
    alone.set_gradient(full({7}, 0.5f));
    if (k == 3) {
      sparse.set_row_gradient({empty({0}, Dtype::i64), empty({0, width})});
    } else if (k != 1) {
      give(sparse, k);
    }
    adagrad.step();
    reference.step();
  }
  CHECK(same(weight, alone));
  OptimizerState state = adagrad.state();
  CHECK(state.tensors.at("table/row_sum").numel() == rows);
  CHECK_FALSE(state.tensors.contains("table/sum"));
  CHECK(state.tensors.contains("weight/sum"));
  adagrad.load(state);
}

TEST_CASE("what does not go with sparse parameters is said before anything happens") {
  const Parameter sparse = table(true);
  CHECK_THROWS_WITH_AS(Lion({sparse}), doctest::Contains("Lion: parameter 'table' is sparse, and it has no rule"),
                       ValueError);
  CHECK_THROWS_WITH_AS(AdamW({sparse}, {.moments = Moments::bits8}),
                       doctest::Contains("AdamW: parameter 'table' is sparse"), ValueError);
  CHECK_THROWS_AS(AdamW({sparse}, {.cautious = true}), ValueError);
  CHECK_THROWS_WITH_AS(AdamW({sparse}, {.amsgrad = true, .rows = Rows::exact}),
                       doctest::Contains("AdamW: Rows::exact goes with moments in f32"), ValueError);
  CHECK_THROWS_WITH_AS(SGD({sparse}, {.lr = 0.1, .rounding = Rounding::compensated, .rows = Rows::exact}),
                       "SGD: Rows::exact goes with Rounding::once, without cautious steps", ValueError);
  CHECK_THROWS_WITH_AS(Adagrad({sparse}, {.l2 = 0.5, .row_wise = true}), "Adagrad: row_wise goes without l2, got 0.5",
                       ValueError);
  {
    const AdamW first({sparse}, {.rows = Rows::exact});
    CHECK_THROWS_WITH_AS(AdamW({sparse}, {.rows = Rows::exact}),
                         "parameter 'table': another optimizer owes it updates (Rows::exact) already", ValueError);
  }
  Parameter later = table(false);
  AdamW adamw({later});
  later.make_sparse();
  later.set_row_gradient(gradient(0));
  CHECK_THROWS_WITH_AS(
      adamw.step(),
      "AdamW: parameter 'table' became sparse after the optimizer was made; make the optimizer after that", ValueError);
}
