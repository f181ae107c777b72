// Gradients of sparse parameters: rows, with the same bits as the dense gradient.

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include <temper/autograd/gradcheck.hpp>
#include <temper/autograd/ops.hpp>
#include <temper/autograd/recompute.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>
#include <temper/core/parallel.hpp>
#include <temper/core/pool.hpp>
#include <temper/core/random.hpp>

using namespace temper;

namespace {

/// Ids of which a few are frequent.
Tensor drawn(std::int64_t count, std::int64_t rows, unsigned seed) {
  std::mt19937 generator(seed);
  Tensor x = empty({count}, Dtype::i64);
  for (std::int64_t& id : x.mutable_values<std::int64_t>()) {
    const double u = static_cast<double>(generator()) / 4294967296.0;
    id = static_cast<std::int64_t>(u * u * u * static_cast<double>(rows));
  }
  return x;
}

bool same(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::ranges::equal(a.values<float>(), b.values<float>());
}

bool ascend(const Tensor& rows) {
  const auto values = rows.values<std::int64_t>();
  return std::ranges::adjacent_find(values, std::greater_equal<>()) == values.end();
}

using Function = std::function<Tensor(const Parameter& table)>;

/// The loss weighs all results of f differently.
void run_backward(const Function& f, const Parameter& table) {
  Tape tape;
  const Tensor y = f(table);
  manual_seed(3);
  tape.backward(sum(to(y, Dtype::f32) * normal(y.shape())));
}

/// Whether a sparse parameter gets the gradient of one that is not.
void check_rows(const Function& f, std::int64_t rows, std::int64_t width, Dtype dtype = Dtype::f32) {
  manual_seed(1);
  const Tensor value = to(normal({rows, width}), dtype);
  const Parameter dense(value.clone(), Role::embedding);
  Parameter sparse(value.clone(), Role::embedding);
  sparse.make_sparse();
  run_backward(f, dense);
  run_backward(f, sparse);
  REQUIRE(sparse.row_gradient().defined());
  CHECK(ascend(sparse.row_gradient().rows));
  CHECK(same(sparse.row_gradient().dense(rows), dense.gradient()));
  run_backward(f, dense);  // a second one is added
  run_backward(f, sparse);
  CHECK(same(sparse.row_gradient().dense(rows), dense.gradient()));
}

}  // namespace

TEST_CASE("the rows of a sparse parameter's gradient have the bits of the dense gradient, with any number of threads") {
  const int before = threads();
  for (const int count : {1, 2, 3}) {
    set_threads(count);
    for (const Dtype dtype : {Dtype::f32, Dtype::bf16}) {
      CAPTURE(count);
      for (const std::int64_t width : {1, 13, 64}) {
        const Tensor ids = drawn(3000, 5000, 2), offsets = indices({0, 0, 700, 1500, 1500, 2999});
        check_rows([&](const Parameter& table) { return embedding(ids, table); }, 5000, width, dtype);
        check_rows([&](const Parameter& table) { return embedding(ids, table, {.padding = 0}); }, 5000, width, dtype);
        for (const BagMode mode : {BagMode::mean, BagMode::sum, BagMode::max}) {
          check_rows([&](const Parameter& table) { return embedding_bag(ids, table, offsets, {.mode = mode}); }, 5000,
                     width, dtype);
          check_rows(
              [&](const Parameter& table) {
                return embedding_bag(reshape(ids, {30, 100}), table, {}, {.mode = mode, .padding = 1});
              },
              5000, width, dtype);
        }
        manual_seed(2);
        const Tensor scale = normal(ids.shape());
        check_rows(
            [&](const Parameter& table) {
              return embedding_bag(ids, table, offsets, {.mode = BagMode::sum, .per_sample_weights = scale});
            },
            5000, width, dtype);
      }
    }
  }
  set_threads(before);
}

TEST_CASE("one row, no row and large ids") {
  check_rows([](const Parameter& table) { return embedding(indices({0, 0, 0}), table); }, 1, 3);
  check_rows(
      [](const Parameter& table) {
        return embedding(indices({3'000'000, 5, 3'000'000, 2047}), table);
      },
      3'000'001, 1);
  Parameter table(ones({3, 2}), Role::embedding);
  table.make_sparse();
  run_backward([](const Parameter& t) { return embedding(indices({1}), t, {.padding = 1}); }, table);
  REQUIRE(table.row_gradient().defined());
  CHECK(table.row_gradient().rows.numel() == 0);
  CHECK(same(table.row_gradient().dense(3), zeros({3, 2})));
}

TEST_CASE("uses of one sparse table add up, on one tape, in a recomputed block and over tapes of several threads") {
  const Tensor a = indices({4, 1, 1}), b = indices({0, 4, 9});
  check_rows(
      [&](const Parameter& table) {
        return embedding(a, table) + embedding(b, table) * embedding_bag(reshape(b, {3, 1}), table);
      },
      10, 3);
  check_rows(
      [&](const Parameter& table) {
        return recompute([&](const Tensor& x) { return x * embedding(a, table); }, embedding(b, table));
      },
      10, 3);
  Parameter table(ones({10, 2}), Role::embedding);
  table.make_sparse();
  const auto work = [&](const Tensor& ids) {
    for (int i = 0; i < 20; ++i) {
      Tape tape;
      tape.backward(sum(embedding(ids, table)));
    }
  };
  std::thread other(work, a);
  work(b);
  other.join();
  const Tensor all = table.row_gradient().dense(10);
  for (const std::int64_t column : {0, 1}) {
    const auto at = [&](std::int64_t row) { return all.data<float>()[row * 2 + column]; };
    CHECK(at(0) == 20.0f);
    CHECK(at(1) == 40.0f);
    CHECK(at(4) == 40.0f);
    CHECK(at(9) == 20.0f);
    CHECK(at(5) == 0.0f);
  }
}

TEST_CASE("a sparse parameter's gradient checks against differences, watched as a whole") {
  Parameter table(normal({6, 3}), Role::embedding);
  table.make_sparse();
  const Tensor ids = indices({5, 0, 5, 2});
  Tape tape;
  tape.watch(table);
  tape.backward(sum(sigmoid(embedding(ids, table))));
  const Tensor whole = tape.gradient(table);
  const Tensor value = table.value().clone();
  CHECK(gradcheck([&](std::span<const Tensor> x) { return sigmoid(embedding(ids, x[0])); }, {value}) < 1e-3);
  Tape dense;
  dense.watch(value);
  dense.backward(sum(sigmoid(embedding(ids, value))));
  CHECK(same(whole, dense.gradient(value)));
  CHECK(same(table.row_gradient().dense(6), whole));
}

TEST_CASE("a backward that needs a dense gradient of a sparse parameter throws by name, and changes nothing") {
  Parameter table(ones({4, 3}), Role::embedding), other(ones({3}), Role::weight);
  table.make_sparse();
  Tape tape;
  const Tensor y = matmul(embedding(indices({1, 2}), table) * other, transpose(table, 0, 1));  // tied weights
  CHECK_THROWS_WITH_AS(tape.backward(sum(y)),
                       doctest::Contains("its gradient of parameter [4, 3] is dense, and that is sparse"), TapeError);
  CHECK_FALSE(table.has_gradient());
  CHECK_FALSE(other.has_gradient());
}

TEST_CASE("frozen parameters, lists of parameters and discarded gradients: as for any other") {
  Parameter table(ones({4, 3}), Role::embedding), other(ones({4, 3}), Role::embedding);
  table.make_sparse();
  other.make_sparse();
  const auto loss = [&] { return sum(embedding(indices({1, 2}), table) * embedding(indices({0, 0}), other)); };
  {
    Tape tape;
    const Parameter only[] = {other};
    tape.backward(loss(), only);
  }
  CHECK_FALSE(table.has_gradient());
  CHECK(other.has_gradient());
  other.freeze();
  CHECK_FALSE(other.has_gradient());
  {
    Tape tape;
    tape.backward(loss());
  }
  CHECK(table.has_gradient());
  CHECK_FALSE(other.has_gradient());
  discard_gradients({table});
  CHECK_FALSE(table.has_gradient());
}

TEST_CASE("what a sparse parameter refuses") {
  Parameter vector(ones({4}), Role::weight), table(ones({4, 3}), Role::embedding), dense(ones({4, 3}), Role::weight);
  CHECK_THROWS_WITH_AS(vector.make_sparse(),
                       "parameter '' [4] is to be sparse, expected [rows, width] with less than 2^32 rows", ShapeError);
  dense.set_gradient(zeros({4, 3}));
  CHECK_THROWS_WITH_AS(dense.make_sparse(), "parameter '' is to be sparse, and a gradient waits for a step",
                       ValueError);
  CHECK_THROWS_AS(dense.set_row_gradient({indices({1}), zeros({1, 3})}), ValueError);
  table = table.named("table");
  table.make_sparse();
  CHECK_THROWS_WITH_AS(table.gradient(), doctest::Contains("gradient of parameter 'table' [4, 3]: it is sparse"),
                       ValueError);
  CHECK_THROWS_AS(table.set_gradient(zeros({4, 3})), ValueError);
  CHECK_THROWS_WITH_AS(
      table.set_row_gradient({indices({1}), zeros({1, 2})}),
      "gradient of parameter 'table' [4, 3]: got rows [1] and values [1, 2], expected i64 [n] and f32 [n, 3]",
      ShapeError);
  CHECK_THROWS_AS(table.set_row_gradient({Tensor(), zeros({1, 3})}), ShapeError);
  CHECK_THROWS_WITH_AS(table.set_row_gradient({indices({2, 1}), zeros({2, 3})}),
                       "gradient of parameter 'table' [4, 3]: row 1 after 2, expected ascending rows below 4",
                       ValueError);
  CHECK_THROWS_AS(table.set_row_gradient({indices({4}), zeros({1, 3})}), ValueError);
  table.set_row_gradient({indices({0, 3}), ones({2, 3})});
  CHECK(table.row_gradient().rows.numel() == 2);
}

TEST_CASE("no gradient of the table's size is made") {
  Parameter table(zeros({300'000, 64}), Role::embedding);  // 77 MB
  table.make_sparse();
  const Tensor ids = drawn(2000, 300'000, 5);
  reset_pool_peak();
  const std::size_t before = pool_stats().live;
  for (int i = 0; i < 2; ++i) {
    Tape tape;
    tape.backward(sum(embedding(ids, table) + embedding_bag(reshape(ids, {2000, 1}), table)));
  }
  CHECK(pool_stats().peak - before < std::size_t{16} << 20);
}
