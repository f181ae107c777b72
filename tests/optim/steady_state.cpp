// From the third step on, a step allocates no memory.

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include <temper/core/parallel.hpp>
#include <temper/core/pool.hpp>
#include <temper/optim/optim.hpp>

#include "tests/data/allocations.hpp"

using namespace temper;
using namespace temper::optim;

TEST_CASE("from the third step on, a step does not call operator new and requests no memory from the system") {
  const int before = threads();
  set_threads(2);
  std::vector<Parameter> parameters;
  for (const std::int64_t n : {10, 20000, 300, 5, 9000}) parameters.emplace_back(full({n}, 1.0f), Role::weight);
  const auto check = [&](Optimizer& optimizer) {
    CAPTURE(optimizer.name());
    for (int step = 0; step < 6; ++step) {
      for (Parameter& parameter : parameters) {
        Tensor gradient = empty(parameter.shape());
        gradient.fill(0.5f);
        parameter.set_gradient(std::move(gradient));
      }
      const std::int64_t allocations_before = temper_test::allocations();
      const auto requests_before = pool_stats().system_requests;
      optimizer.step({.divide_by = 2.0, .measure = true});
      if (step < 2) continue;
      CHECK(temper_test::allocations() == allocations_before);
      CHECK(pool_stats().system_requests == requests_before);
    }
  };
  AdamW adamw(parameters, {.lr = 1e-3 * warmup(3).then(cosine(100)) * min(1.0, step(2, 0.5)), .clip_norm = 1.0});
  check(adamw);
  AdamW narrow(parameters, {.lr = 1e-3, .moments = Moments::bits8});
  narrow.average();
  narrow.keep_bf16();
  check(narrow);
  LAMB lamb(parameters, {.lr = 1e-3});
  check(lamb);
  SGD sgd(parameters, {.lr = 1e-3, .momentum = 0.9});
  check(sgd);
  set_threads(before);
}

TEST_CASE("nor does a step of a sparse parameter") {
  for (const Rows mode : {Rows::lazy, Rows::exact}) {
    Parameter table(zeros({1000, 16}), Role::embedding);
    table.make_sparse();
    AdamW adamw({table}, {.rows = mode});
    for (std::int64_t step = 0; step < 6; ++step) {
      RowGradient gradient{empty({3}, Dtype::i64), full({3, 16}, 0.5f)};
      for (std::int64_t i = 0; i < 3; ++i) gradient.rows.mutable_data<std::int64_t>()[i] = 100 * i + step;
      table.set_row_gradient(std::move(gradient));
      const std::int64_t allocations_before = temper_test::allocations();
      adamw.step({.measure = true});
      if (step >= 2) CHECK(temper_test::allocations() == allocations_before);
    }
  }
}
