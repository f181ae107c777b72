// Habits from other libraries, and what users try first.

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <vector>

#include "tests/misuse/misuse.hpp"

namespace temper::test {

namespace {

/// A model without members().
class Nameless : public nn::Layer {
 protected:
  Tensor forward(const Tensor& x) const override { return layer_(x); }

 private:
  nn::Linear layer_{2, 2};
};

Tensor bools(const Shape& shape) {
  Tensor result = empty(shape, Dtype::boolean);
  for (bool& x : result.mutable_values<bool>()) x = true;
  return result;
}

}  // namespace

TEST_CASE("habits from other libraries") {
  // Created before the checks, as their initialization draws random numbers, which would count as a change.
  const auto attention = std::make_shared<nn::MultiheadAttention>(8, nn::MultiheadAttentionOptions{.heads = 2});
  attention->freeze();  // so that its products are not on the program's tape
  const auto nameless = std::make_shared<Nameless>();
  check({
      refuses<ShapeError>(
          "scaled_dot_product_attention: q [2, 6, 5, 4], k [2, 4, 5, 4] and v [2, 4, 5, 4], expected "
          "[..., H, T, D], [..., Hkv, S, D] and [..., Hkv, S, E] with H a multiple of Hkv",
          [](Program&) {
            return scaled_dot_product_attention(ones({2, 6, 5, 4}), ones({2, 4, 5, 4}), ones({2, 4, 5, 4}));
          }),
      refuses<ShapeError>("cross_entropy: logits [2, 3] and probabilities [2], expected the same [..., classes]; class "
                          "numbers are i64",
                          [](Program& p) {
                            return cross_entropy(p.logits, from({0, 2}, {2}));
                          }),
      refuses<ShapeError>("MultiheadAttention: visible bool [4, 5], expected bool [T, S] or [N, heads, T, S], here [3, "
                          "5] or [4, 2, 3, 5]",
                          [=](Program&) {
                            return (*attention)(ones({4, 3, 8}), ones({4, 5, 8}), {.visible = bools({4, 5})});
                          }),
      refuses<ValueError>(" of [4, 2, 3] sees no key; with empty_rows = EmptyRows::zero its result is 0",
                          [=](Program&) {
                            const Tensor x = ones({4, 3, 8});
                            return (*attention)(x, x, {.visible_keys = zeros({4, 3}, Dtype::boolean)});
                          }),
      refuses<ShapeError>("reshape: the 6 elements of input [2, 3] do not fit [-1, -1]",
                          [](Program&) {
                            return reshape(ones({2, 3}), std::vector<std::int64_t>{-1, -1});
                          }),
      refuses<ShapeError>("9 axes were given, a shape has at most 8",
                          [](Program&) { return sum(ones({2}), Axes(std::vector<std::int64_t>(9))); }),
      refuses<ShapeError>(
          "sum: axis 2147483647 of input [2], which has 1 axes",
          [](Program&) { return sum(ones({2}), Axes(std::vector<std::int64_t>{std::int64_t{1} << 40})); }),
      refuses<ValueError>("Embedding: padding -1, expected one of the 5 ids",
                          [](Program&) { return nn::Embedding(5, 2, {.padding = -1}).weight; }),
      refuses<ValueError>("sequential: layer 1 is BatchNorm2d(2), asked for as something else",
                          [](Program& p) { return p.model.at<nn::Linear>(1).weight; }),
      refuses<ValueError>("sequential: layer 5 of 5", [](Program& p) { p.model.replace(5, nn::ReLU()); }),
      refuses<ValueError>("nameless.safetensors: the model has no parameter and no buffer to save; does it name its "
                          "parts in members()?",
                          [=](Program& p) { save(p.folder / "nameless.safetensors", *nameless); }),
  });
}

TEST_CASE("print with too few and too many arguments") {
  check({
      refuses<ValueError>("print: \"{} {}\" has places for 2 arguments, 1 was given",
                          [](Program&) { print("{} {}", 1); }),
      refuses<ValueError>("print: \"loss\" has places for 0 arguments, 1 was given",
                          [](Program&) { print("loss", 0.5); }),
      refuses<ValueError>("print: \"{:{}} {{}}\" has places for 2 arguments, 3 were given",
                          [](Program&) { print("{:{}} {{}}", 1, 2, 3); }),
      refuses<ValueError>("print: \"{1}\" has places for 2 arguments, 0 were given", [](Program&) { print("{1}"); }),
      refuses<ValueError>("print: \"{:.2f}\": ", [](Program&) { print("{:.2f}", "text"); }),
      refuses<ValueError>("print: \"{\": ", [](Program&) { print("{"); }),
  });
}

TEST_CASE("obvious first programs work") {
  Tensor x = from({1, 2, 3, 4}, {4});
  const Tensor old = x;
  x += 1;
  x *= x;
  x -= from({1, 1, 1, 1}, {4});
  x /= 0.5;
  CHECK(std::vector<float>(x.values<float>().begin(), x.values<float>().end()) == std::vector<float>{6, 16, 30, 48});
  CHECK(old.data<float>()[0] == 1);  // the other handle is unchanged

  const Parameter weight(ones({4}), Role::weight);
  Tape tape;
  Tensor y = old;
  y *= weight;
  y += weight;
  tape.backward(sum(y));
  CHECK(weight.gradient().data<float>()[3] == 5);

  CHECK(from(std::vector<double>{0.5, 2}, {2}).data<float>()[0] == 0.5f);
  CHECK(from(std::vector<int>{-7, 2}, {1, 2}).data<std::int64_t>()[0] == -7);
  CHECK(from(std::array{true, false}, {2}).data<bool>()[0]);

  const std::vector<std::int64_t> sizes = {2, -1};
  CHECK(reshape(x, sizes).shape() == Shape{2, 2});
  CHECK(reshape(x, std::vector<std::int64_t>{4}).shape() == Shape{4});
  CHECK(sum(ones({2, 3, 4}), Axes(std::vector<std::int64_t>{0, -1})).shape() == Shape{3});
  CHECK(nn::Conv2d(1, 2, 3)(ones({1, 5, 5, 1})).shape() == Shape{1, 3, 3, 2});
  CHECK(nn::fan_in_uniform({2, 2}, 2).shape() == Shape{2, 2});
  static_cast<void>(pool_stats());
}

}  // namespace temper::test
