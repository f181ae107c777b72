#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>

#include <temper/core/errors.hpp>
#include <temper/core/parallel.hpp>
#include <temper/tensor/tensor.hpp>

using namespace temper;

TEST_CASE("large tensors, which several threads write, are zero, filled and cloned to the last element") {
  const int before = threads();
  set_threads(2);
  const std::int64_t size = (1 << 20) + 3;  // floats: several pieces, the last one short
  {
    Tensor dirty = empty({size});
    dirty.fill(3);  // leaves old contents in the pool's memory
  }
  Tensor x = zeros({size});
  CHECK(std::ranges::all_of(x.values<float>(), [](float v) { return v == 0; }));
  x.fill(2);
  CHECK(std::ranges::all_of(x.values<float>(), [](float v) { return v == 2; }));
  const Tensor ids = arange(size), copy = ids.clone();
  CHECK_FALSE(copy.same(ids));
  CHECK(copy.data<std::int64_t>() != ids.data<std::int64_t>());
  CHECK(std::ranges::equal(copy.values<std::int64_t>(), ids.values<std::int64_t>()));
  set_threads(before);
}

TEST_CASE("handles share memory, clones do not") {
  Tensor a = from({1, 2, 3, 4, 5, 6}, {2, 3});
  Tensor b = a;
  CHECK(b.same(a));
  b.mutable_data<float>()[0] = 9;
  CHECK(a.data<float>()[0] == 9);
  Tensor c = a.clone();
  c.fill(0);
  CHECK(a.data<float>()[0] == 9);
  CHECK(reinterpret_cast<std::uintptr_t>(a.data<float>()) % 64 == 0);
}

TEST_CASE("views share memory") {
  Tensor a = from({1, 2, 3, 4, 5, 6}, {3, 2});
  Tensor rows = a.rows(1, 3);
  CHECK(rows.shape() == Shape{2, 2});
  CHECK(rows.data<float>()[0] == 3);
  Tensor flat = a.view({6});
  flat.mutable_data<float>()[5] = 7;
  CHECK(rows.data<float>()[3] == 7);
  CHECK(a.version() == flat.version());
  CHECK_FALSE(a.unique());
  CHECK(a.rows(3, 3).numel() == 0);
}

TEST_CASE("changes in place are counted") {
  Tensor a = zeros({2});
  const auto version = a.version();
  CHECK(a.data<float>()[0] == 0);
  CHECK(a.version() == version);
  a.fill(1);
  CHECK(a.version() == version + 1);
  a.copy_from(ones({2}));
  CHECK(a.version() == version + 2);
}

TEST_CASE("factories") {
  CHECK(full({2}, 3).data<float>()[1] == 3);
  CHECK(scalar(2.5f).item() == 2.5);
  CHECK(scalar(2.5f).rank() == 0);
  CHECK(arange(4).data<std::int64_t>()[3] == 3);
  CHECK(indices({5, 6}).shape() == Shape{2});
  CHECK(zeros({3}, Dtype::i64).data<std::int64_t>()[2] == 0);
  CHECK(zeros({3}, Dtype::boolean).data<bool>()[2] == false);
  CHECK(empty({0, 4}).numel() == 0);
}

TEST_CASE("tensors print") {
  CHECK(to_string(from({1, 2, 3, 4}, {2, 2})) == "[[1, 2],\n [3, 4]] f32 [2, 2]");
  CHECK(to_string(scalar(0.5f)) == "0.5 f32 []");
  CHECK(to_string(arange(12)) == "[0, 1, 2, ..., 9, 10, 11] i64 [12]");
  CHECK(to_string(empty({0, 2})) == "[] f32 [0, 2]");
  CHECK(to_string(zeros({2}, Dtype::boolean)) == "[false, false] bool [2]");
  CHECK(to_string(Tensor()) == "undefined tensor");
}

TEST_CASE("errors say what was given and what was expected") {
  Tensor a = zeros({2, 3});
  CHECK_THROWS_WITH_AS(a.data<std::int64_t>(), "tensor [2, 3] is f32, read as i64", ShapeError);
  CHECK_THROWS_WITH_AS(a.item(), "item: tensor [2, 3] has 6 elements, expected 1", ShapeError);
  CHECK_THROWS_WITH_AS(a.view({5}), "view: tensor [2, 3] has 6 elements, shape [5] has 5", ShapeError);
  CHECK_THROWS_WITH_AS(a.rows(1, 3), "rows: 1 to 3 of tensor [2, 3]", ShapeError);
  CHECK_THROWS_WITH_AS(a.copy_from(zeros({3, 2})), "copy_from: f32 [3, 2] into f32 [2, 3]", ShapeError);
  CHECK_THROWS_WITH_AS(from({1, 2}, {3}), "from: 2 values for shape [3], which has 3 elements", ShapeError);
  CHECK_THROWS_WITH_AS(Tensor().shape(), "an undefined tensor was used; expected one with elements", ValueError);
}

TEST_CASE("tensors that are too large throw with their shape and size") {
  const std::int64_t half = std::int64_t{1} << 62;
  for (const Dtype dtype : {Dtype::f32, Dtype::i64, Dtype::bf16}) {
    const std::string text = "tensor " + to_string(dtype) + " [4611686018427387904] has more than 2^63 - 1 bytes";
    CHECK_THROWS_WITH_AS(empty({half}, dtype), text.c_str(), ShapeError);
    CHECK_THROWS_WITH_AS(zeros({half}, dtype), text.c_str(), ShapeError);
  }
  CHECK_THROWS_WITH_AS(ones({half / 2, 4}), "shape [2305843009213693952, 4] has more than 2^63 - 1 elements",
                       ShapeError);
  // Also if one of the axes has size 0.
  CHECK_THROWS_WITH_AS(zeros({0, half, 4}), "shape [0, 4611686018427387904, 4] has more than 2^63 - 1 elements",
                       ShapeError);
  for (const auto& make : std::initializer_list<Tensor (*)()>{[] {
                                                                return empty({1 << 24, 1 << 24});
                                                              },
                                                              [] {
                                                                return zeros({1 << 24, 1 << 24});
                                                              },
                                                              [] {
                                                                return full({1 << 24, 1 << 24}, 2.0f);
                                                              },
                                                              [] {
                                                                return uniform({1 << 24, 1 << 24});
                                                              },
                                                              [] {
                                                                return normal({1 << 24, 1 << 24});
                                                              }}) {
    CHECK_THROWS_WITH_AS(make(),
                         doctest::Contains("tensor f32 [16777216, 16777216]: not enough memory: "
                                           "1125899906842688 bytes (1.0 PiB) wanted, "),
                         OutOfMemoryError);
  }
  CHECK_THROWS_AS(arange(std::int64_t{1} << 60), ShapeError);
}

TEST_CASE("the elements and the shape of a temporary tensor live as long as a loop over them") {
  double total = 0;
  for (const float x : full({1000}, 2.0f).values<float>()) {
    const Tensor other = full({1000}, 3.0f);  // would take a released block of the temporary's size
    total += x;
  }
  CHECK(total == 2000);
  std::int64_t product = 1;
  for (const std::int64_t size : zeros({3, 5, 7}).shape()) product *= size;
  CHECK(product == 105);
}
