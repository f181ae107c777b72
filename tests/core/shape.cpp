#include <doctest/doctest.h>

#include <array>
#include <limits>

#include <temper/core/errors.hpp>
#include <temper/core/shape.hpp>

using namespace temper;

TEST_CASE("sizes, rank and number of elements of a shape") {
  const Shape shape{2, 3, 4};
  CHECK(shape.rank() == 3);
  CHECK(shape.numel() == 24);
  CHECK(shape[0] == 2);
  CHECK(shape[-1] == 4);
  CHECK(to_string(shape) == "[2, 3, 4]");
  CHECK(Shape{}.numel() == 1);
  CHECK(Shape{3, 0, 5}.numel() == 0);
  CHECK(shape == Shape{2, 3, 4});
  CHECK_FALSE(shape == Shape{2, 3});
  CHECK_FALSE(shape == Shape{2, 3, 4, 1});
}

TEST_CASE("axes are added and removed") {
  const Shape shape{2, 3, 4};
  CHECK(shape.with_axis(0, 7) == Shape{7, 2, 3, 4});
  CHECK(shape.with_axis(1, 7) == Shape{2, 7, 3, 4});
  CHECK(shape.with_axis(-1, 7) == Shape{2, 3, 4, 7});
  CHECK(shape.without_axis(1) == Shape{2, 4});
  CHECK(shape.without_axis(-1) == Shape{2, 3});
  CHECK(shape.resized(-2, 9) == Shape{2, 9, 4});
}

TEST_CASE("an invalid shape throws and names what is wrong") {
  CHECK_THROWS_WITH_AS(Shape({2, -1}), "shape [2, -1] has a negative size", ShapeError);
  CHECK_THROWS_WITH_AS(Shape({1, 1, 1, 1, 1, 1, 1, 1, 1}), doctest::Contains("has 9 axes, at most 8"), ShapeError);
  const std::int64_t large = std::int64_t{1} << 32;
  CHECK_THROWS_WITH_AS(Shape({large, large}), doctest::Contains("more than 2^63 - 1 elements"), ShapeError);
  CHECK_THROWS_WITH_AS(Shape({0, large, large}), doctest::Contains("more than 2^63 - 1 elements"), ShapeError);
  CHECK(Shape({0, large, 3}).numel() == 0);
  CHECK_THROWS_WITH_AS((Shape{2, 3}[2]), "axis 2 of shape [2, 3], which has 2 axes", ShapeError);
}

TEST_CASE("shapes broadcast from the last axis on") {
  CHECK(broadcast_shapes("add", {2, 3}, {3}) == Shape{2, 3});
  CHECK(broadcast_shapes("add", {2, 1, 4}, {3, 1}) == Shape{2, 3, 4});
  CHECK(broadcast_shapes("add", {}, {2}) == Shape{2});
  CHECK(broadcast_shapes("add", {0}, {1}) == Shape{0});
  CHECK_THROWS_WITH_AS(broadcast_shapes("add", {2, 3}, {2}),
                       "add: shapes [2, 3] and [2] do not broadcast: axis -1 has sizes 3 and 2", ShapeError);
}
