// Sparse parameters: threads and instruction sets, what is saved and owed, averages, masters, errors.

#include "tests/optim/rows.hpp"

#include <doctest/doctest.h>

#include <bit>

#include <temper/core/errors.hpp>
#include <temper/core/parallel.hpp>

#include "framework/kernels/isa.hpp"
#include "optim/kernels/table.hpp"

using namespace temper_test;

namespace {

struct Restore {
  int threads_before = threads();
  ~Restore() {
    set_threads(threads_before);
    optim_kernels::use(kernels::isa());
  }
};

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

}  // namespace

TEST_CASE("steps by rows have the same bits with any number of threads and instruction set") {
  const Restore restore;
  std::vector<Make> all = exact_ones();
  for (Make& make : lazy_ones()) all.push_back(std::move(make));
  for (const Make& make : all) {
    Tensor expected;
    for (const kernels::Isa isa : kernels::supported_isas()) {
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
