#include "framework/kernels/matmul.hpp"
#include "framework/kernels/reduce.hpp"

#include "framework/kernels/matmul_internal.hpp"

#include "onednn_reference.hpp"

using namespace reference;
using temper::kernels::Matmul;

namespace {

struct Case {
  Matmul shape;
  bool bias = false;
};

struct Data {
  Floats a, b, bias, y;
};

Data make(const Case& c, Random& random) {
  const Matmul& s = c.shape;
  return {random.floats(s.batch * s.m * s.k), random.floats((s.share_b ? 1 : s.batch) * s.k * s.n), random.floats(s.n),
          random.floats(s.batch * s.m * s.n)};
}

Sums expected(const Case& c, const Data& data) {
  const auto& [m, n, k, batch, transpose_a, transpose_b, accumulate, share_b] = c.shape;
  Sums sums(data.y.size());
  for (Index i = 0; i < batch; ++i) {
    const float* a = data.a.data() + i * m * k;
    const float* b = data.b.data() + (share_b ? 0 : i * k * n);
    for (Index row = 0; row < m; ++row) {
      for (Index column = 0; column < n; ++column) {
        const auto at = static_cast<std::size_t>((i * m + row) * n + column);
        Sum& sum = sums[at];
        for (Index j = 0; j < k; ++j) {
          sum.add(double{transpose_a ? a[j * m + row] : a[row * k + j]} *
                  (transpose_b ? b[column * k + j] : b[j * n + column]));
        }
        if (c.bias) sum.add(data.bias[static_cast<std::size_t>(column)]);
        if (accumulate) sum.add(data.y[at]);
      }
    }
  }
  return sums;
}

Floats run(const Case& c, const Data& data) {
  Guarded y(data.y);
  temper::kernels::matmul(c.shape, data.a.data(), data.b.data(), c.bias ? data.bias.data() : nullptr, y.data());
  return written(y);
}

/// With Temper's own product, which is used where oneDNN fails.
Floats run_own(const Case& c, const Data& data) {
  Guarded y(data.y);
  temper::kernels::own_product(c.shape, data.a.data(), data.b.data(), c.bias ? data.bias.data() : nullptr, y.data());
  return written(y);
}

void check(const Case& c, Random& random) {
  const Data data = make(c, random);
  CAPTURE(c.shape.m);
  CAPTURE(c.shape.n);
  CAPTURE(c.shape.k);
  CAPTURE(c.shape.batch);
  CAPTURE(c.shape.transpose_a);
  CAPTURE(c.shape.transpose_b);
  CAPTURE(c.shape.accumulate);
  CAPTURE(c.shape.share_b);
  CAPTURE(c.bias);
  const Sums sums = expected(c, data);
  CHECK(worst(run(c, data), sums) <= 1.0);
  CHECK(worst(run_own(c, data), sums) <= 1.0);
}

Case random_case(Random& random) {
  Case c;
  const auto size = [&] { return random.one_of<Index>({0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64}); };
  c.shape = {.m = size(),
             .n = size(),
             .k = size(),
             .batch = random.one_of<Index>({1, 1, 1, 2, 3, 0}),
             .transpose_a = random.between(0, 1) == 1,
             .transpose_b = random.between(0, 1) == 1,
             .accumulate = random.between(0, 1) == 1,
             .share_b = random.between(0, 3) == 0};
  c.bias = random.between(0, 1) == 1;
  return c;
}

}  // namespace

TEST_CASE("matmul agrees with double loops at sizes around the vectors' width") {
  Random random(1);
  for (const Index size : {1, 7, 8, 9, 15, 16, 17, 31, 33}) {
    for (const bool transpose_a : {false, true}) {
      for (const bool transpose_b : {false, true}) {
        for (const bool accumulate : {false, true}) {
          const Matmul tail{.transpose_a = transpose_a, .transpose_b = transpose_b, .accumulate = accumulate};
          Case c{tail, !accumulate};
          c.shape.m = size, c.shape.n = 5, c.shape.k = 20;
          check(c, random);
          c.shape.m = 5, c.shape.n = size;
          check(c, random);
          c.shape.n = 20, c.shape.k = size;
          check(c, random);
        }
      }
    }
  }
}

TEST_CASE("matmul over a long inner axis") {
  Random random(2);
  check({{.m = 3, .n = 5, .k = 20000}, true}, random);
  check({{.m = 17, .n = 33, .k = 4097, .transpose_a = true, .accumulate = true}, false}, random);
}

TEST_CASE("matmul of sizes that use other kernels") {
  Random random(7);
  for (const bool accumulate : {false, true}) {
    check({{.m = 130, .n = 257, .k = 133, .transpose_a = true, .accumulate = accumulate}, false}, random);
    check({{.m = 1030, .n = 65, .k = 67, .accumulate = accumulate}, false}, random);
    check({{.m = 97, .n = 131, .k = 400, .accumulate = accumulate}, false}, random);
    check({{.m = 1030, .n = 270, .k = 67, .transpose_b = true, .accumulate = accumulate}, false}, random);
  }
  // NaN is propagated, and the old contents of the result are not read.
  Floats a(128 * 256, 1.0f), b(128 * 256, 1.0f), y(256 * 256, std::numeric_limits<float>::quiet_NaN());
  a[3] = std::numeric_limits<float>::quiet_NaN();
  temper::kernels::matmul({.m = 256, .n = 256, .k = 128, .transpose_a = true}, a.data(), b.data(), nullptr, y.data());
  CHECK(std::isnan(y[3 * 256]));
  CHECK(y[4 * 256] == 128.0f);
}

TEST_CASE("matmul over an inner axis of size 0 is zero, or the old contents, plus the bias") {
  Random random(3);
  for (const bool accumulate : {false, true}) {
    for (const bool bias : {false, true}) {
      check({{.m = 4, .n = 19, .k = 0, .batch = 2, .accumulate = accumulate}, bias}, random);
    }
  }
}

TEST_CASE("matmul of random shapes") {
  Random random(4);
  const int count = random_shapes(0.3);
  for (int i = 0; i < count; ++i) check(random_case(random), random);
}

TEST_CASE("matmul gives the same bits on one and two threads, and after the number changed") {
  Random random(5);
  for (const Matmul shape : {Matmul{.m = 64, .n = 96, .k = 80}, Matmul{.m = 70, .n = 33, .k = 17, .transpose_b = true},
                             Matmul{.m = 200, .n = 300, .k = 1100, .transpose_a = true}}) {
    const Case c{shape, !shape.transpose_a};
    const Data data = make(c, random);
    Floats one, two;
    {
      const Threads threads(1);
      one = run(c, data);
    }
    {
      const Threads threads(2);
      two = run(c, data);
    }
    CHECK(one == two);
    const Threads threads(1);
    CHECK(run(c, data) == one);
  }
}

TEST_CASE("sum_rows agrees with double loops and does not depend on the threads") {
  Random random(6);
  for (const Index rows : {0, 1, 2, 15, 16, 17, 100, 1000}) {
    for (const Index columns : {0, 1, 3, 7, 8, 9, 16, 17, 33, 255, 256, 257, 700}) {
      for (const bool accumulate : {false, true}) {
        const Floats x = random.floats(rows * columns), before = random.floats(columns);
        Sums sums(before.size());
        for (Index i = 0; i < rows * columns; ++i) {
          sums[static_cast<std::size_t>(i % columns)].add(x[static_cast<std::size_t>(i)]);
        }
        for (std::size_t i = 0; accumulate && i < before.size(); ++i) sums[i].add(before[i]);
        Floats one = before, two = before;
        {
          const Threads threads(1);
          temper::kernels::sum_rows(x.data(), rows, columns, one.data(), accumulate);
        }
        {
          const Threads threads(2);
          temper::kernels::sum_rows(x.data(), rows, columns, two.data(), accumulate);
        }
        CAPTURE(rows);
        CAPTURE(columns);
        CHECK(worst(one, sums) <= 1.0);
        CHECK(one == two);
      }
    }
  }
}
