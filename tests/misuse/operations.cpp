#include <doctest/doctest.h>

#include <limits>

#include "tests/misuse/misuse.hpp"

namespace temper::test {

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

Tensor bools(const Shape& shape, bool value) {
  Tensor result = empty(shape, Dtype::boolean);
  for (bool& x : result.mutable_values<bool>()) x = value;
  return result;
}

}  // namespace

TEST_CASE("shapes and dtypes that do not fit an operation") {
  check({
      refuses<ShapeError>("add: shapes [2, 3] and [4] do not broadcast: axis -1 has sizes 3 and 4",
                          [](Program&) {
                            return ones({2, 3}) + ones({4});
                          }),
      refuses<ShapeError>("mul: b [2] is i64, expected f32",
                          [](Program&) {
                            return ones({2}) * indices({1, 2});
                          }),
      refuses<ShapeError>("where: condition [2] is f32, expected bool",
                          [](Program&) { return where(ones({2}), ones({2}), ones({2})); }),
      refuses<ShapeError>("less: b [2] is i64, expected f32",
                          [](Program&) {
                            return less(ones({2}), indices({1, 2}));
                          }),
      refuses<ValueError>("relu: input is an undefined tensor", [](Program&) { return relu(Tensor()); }),
      refuses<ValueError>("linear: weight is an undefined tensor",
                          [](Program&) {
                            return linear(ones({2, 3}), Tensor());
                          }),
      refuses<ValueError>("conv2d: input is an undefined tensor",
                          [](Program&) {
                            return conv2d(Tensor(), ones({1, 1, 3, 3}));
                          }),
      refuses<ValueError>("batch_norm: input [1, 1, 1, 2] has 1 value a channel, training needs at least 2",
                          [](Program& p) {
                            return p.model[1](ones({1, 1, 1, 2}));
                          }),
      refuses<ShapeError>("batch_norm: weight f32 [2], input [2, 4, 4, 3] expects f32 [3]",
                          [](Program& p) {
                            return p.model[1](ones({2, 4, 4, 3}));
                          }),
      refuses<ShapeError>(
          "batch_norm: weight f32 [2], input [4, 2, 8, 8] expects f32 [8]; images are [N, H, W, C], this "
          "looks like [N, C, H, W]",
          [](Program& p) {
            return p.model[1](ones({4, 2, 8, 8}));
          }),
      refuses<ShapeError>("matmul: a [2, 3] has 3 columns, b [4, 5] has 4 rows",
                          [](Program&) {
                            return matmul(ones({2, 3}), ones({4, 5}));
                          }),
      refuses<ShapeError>("matmul: a [2, 3, 4] and b [3, 4, 5] differ in their leading axes [2] and [3]",
                          [](Program&) {
                            return matmul(ones({2, 3, 4}), ones({3, 4, 5}));
                          }),
      refuses<ShapeError>("linear: input [2, 7] has 7 features, weight [3, 8] expects 8",
                          [](Program& p) {
                            return p.model[4](ones({2, 7}));
                          }),
      refuses<ShapeError>("conv2d: input [2, 4, 4, 3] has 3 channels, weight [2, 1, 3, 3] expects 1",
                          [](Program& p) {
                            return p.model(ones({2, 4, 4, 3}));
                          }),
      refuses<ShapeError>("conv2d: input [2, 1, 8, 8] has 8 channels, weight [2, 1, 3, 3] expects 1; images are "
                          "[N, H, W, C], this looks like [N, C, H, W]",
                          [](Program& p) {
                            return p.model(ones({2, 1, 8, 8}));
                          }),
      refuses<ShapeError>("conv2d: kernel 3 x 3 does not fit into input [2, 2, 2, 1], 2 x 2 with its padding",
                          [](Program& p) {
                            return p.model(ones({2, 2, 2, 1}));
                          }),
      refuses<ShapeError>("conv2d: input f32 [4, 4, 1], expected f32 or bf16 [N, H, W, C]",
                          [](Program& p) {
                            return p.model(ones({4, 4, 1}));
                          }),
      refuses<ValueError>("conv2d: stride 0 x 0, expected at least 1",
                          [](Program&) {
                            return conv2d(ones({1, 4, 4, 1}), ones({1, 1, 3, 3}), {}, {.stride = 0});
                          }),
      refuses<ValueError>("max_pool2d: padding 2 x 2, expected at most half of the kernel 3 x 3",
                          [](Program&) {
                            return max_pool2d(ones({1, 4, 4, 1}), {.kernel = 3, .padding = 2});
                          }),
      refuses<ShapeError>("layer_norm: input [2, 3] does not end in the shape [4] of weight",
                          [](Program&) {
                            return layer_norm(ones({2, 3}), ones({4}), {});
                          }),
      refuses<ValueError>("layer_norm: eps nan, expected at least 0",
                          [](Program&) {
                            return layer_norm(ones({2, 3}), ones({3}), {}, {.eps = nan});
                          }),
      refuses<ShapeError>("scaled_dot_product_attention: q [2, 3, 4], k [2, 5, 6] and v [2, 5, 4], expected",
                          [](Program&) {
                            return scaled_dot_product_attention(ones({2, 3, 4}), ones({2, 5, 6}), ones({2, 5, 4}));
                          }),
      refuses<ShapeError>("scaled_dot_product_attention: mask [4, 5] does not broadcast to the scores [2, 3, 5]",
                          [](Program&) {
                            return scaled_dot_product_attention(ones({2, 3, 4}), ones({2, 5, 4}), ones({2, 5, 4}),
                                                                {.mask = bools({4, 5}, true)});
                          }),
      refuses<ShapeError>("scaled_dot_product_attention: mask [3, 5] is f32, expected bool",
                          [](Program&) {
                            return scaled_dot_product_attention(ones({2, 3, 4}), ones({2, 5, 4}), ones({2, 5, 4}),
                                                                {.mask = zeros({3, 5})});
                          }),
      refuses<ValueError>("scaled_dot_product_attention: query [0, 0] of [2, 3] sees no key",
                          [](Program&) {
                            return scaled_dot_product_attention(ones({2, 3, 4}), ones({2, 5, 4}), ones({2, 5, 4}),
                                                                {.mask = bools({3, 5}, false)});
                          }),
  });
}

TEST_CASE("axes, sizes and indices out of range") {
  check({
      refuses<ShapeError>("sum: axis 2 of input [2, 3], which has 2 axes",
                          [](Program&) {
                            return sum(ones({2, 3}), 2);
                          }),
      refuses<ShapeError>("mean: axis -2 of input [2, 3] is given twice",
                          [](Program&) {
                            return mean(ones({2, 3}), {0, -2});
                          }),
      refuses<ValueError>("mean: input [0, 3] has no numbers to average",
                          [](Program&) {
                            return mean(ones({0, 3}));
                          }),
      refuses<ValueError>("max: input [3, 0] has nothing to choose from",
                          [](Program&) {
                            return max(ones({3, 0}), 1);
                          }),
      refuses<ValueError>("argmax: input [3, 0] has nothing to choose from along axis 1",
                          [](Program&) {
                            return argmax(ones({3, 0}), 1);
                          }),
      refuses<ShapeError>("softmax: axis 3 of input [2, 3], which has 2 axes",
                          [](Program&) {
                            return softmax(ones({2, 3}), 3);
                          }),
      refuses<ShapeError>("reshape: input [2, 3] has 6 elements, shape [4, 2] has 8",
                          [](Program&) {
                            return reshape(ones({2, 3}), Shape{4, 2});
                          }),
      refuses<ShapeError>("reshape: the 6 elements of input [2, 3] do not fit [-1, 4]",
                          [](Program&) {
                            return reshape(ones({2, 3}), {-1, 4});
                          }),
      refuses<ShapeError>("permute: 2 axes for input [2, 3, 4], which has 3",
                          [](Program&) {
                            return permute(ones({2, 3, 4}), {1, 0});
                          }),
      refuses<ShapeError>("slice: 1 to 5 of axis 1 of input [2, 3]",
                          [](Program&) {
                            return slice(ones({2, 3}), 1, 1, 5);
                          }),
      refuses<ShapeError>("concat: f32 [2, 4] after f32 [2, 3], expected the same but for axis 0",
                          [](Program&) {
                            return concat({ones({2, 3}), ones({2, 4})}, 0);
                          }),
      refuses<ShapeError>("expand: input [2] does not broadcast to [1]",
                          [](Program&) { return expand(ones({2}), {1}); }),
      refuses<ValueError>("pad: negative padding -1, 0",
                          [](Program&) {
                            return pad(ones({2}), {{-1, 0}});
                          }),
      refuses<ValueError>("split: parts of size 0, expected at least 1", [](Program&) { return split(ones({4}), 0); }),
      refuses<ValueError>("gather: index 3 is outside axis 0 of input [3]",
                          [](Program&) {
                            return gather(ones({3}), 0, indices({0, 3}));
                          }),
      refuses<ValueError>("embedding: id 5 at place 1 is outside the 5 rows of weight [5, 2]",
                          [](Program&) {
                            return embedding(indices({4, 5}), ones({5, 2}));
                          }),
      refuses<ValueError>("embedding: id -1 at place 0 is outside the 5 rows of weight [5, 2]",
                          [](Program&) {
                            return embedding(indices({-1}), ones({5, 2}));
                          }),
      refuses<ShapeError>("embedding: ids [2] is f32, expected i64",
                          [](Program&) {
                            return embedding(ones({2}), ones({5, 2}));
                          }),
      refuses<ShapeError>("item: tensor [2, 3] has 6 elements, expected 1", [](Program& p) { return p.logits.item(); }),
      refuses<ShapeError>("tensor [2] is i64, read as f32", [](Program& p) { return p.labels.data<float>(); }),
      refuses<ShapeError>("shape [4294967296, 4294967296] has more than 2^63 - 1 elements",
                          [](Program&) {
                            return ones({std::int64_t{1} << 32, std::int64_t{1} << 32});
                          }),
  });
}

TEST_CASE("losses of labels, logits and options out of range") {
  check({
      refuses<ValueError>("cross_entropy: label 3 of row 1 is outside the 3 classes",
                          [](Program& p) {
                            return cross_entropy(p.logits, indices({0, 3}));
                          }),
      refuses<ValueError>("cross_entropy: label -1 of row 0 is outside the 3 classes",
                          [](Program& p) {
                            return cross_entropy(p.logits, indices({-1, 0}));
                          }),
      refuses<ValueError>("cross_entropy: mean over no row: 2 labels, 2 of them ignored",
                          [](Program& p) {
                            return cross_entropy(p.logits, indices({-100, -100}));
                          }),
      refuses<ValueError>("cross_entropy: mean over no row: 0 labels, 0 of them ignored",
                          [](Program&) {
                            return cross_entropy(ones({0, 3}), indices({}));
                          }),
      refuses<ShapeError>("cross_entropy: logits [2, 3] and labels [3], expected [..., classes] and [...]",
                          [](Program& p) {
                            return cross_entropy(p.logits, indices({0, 1, 2}));
                          }),
      refuses<ShapeError>("cross_entropy: logits [2, 3] and probabilities [2], expected the same [..., classes]",
                          [](Program& p) { return cross_entropy(p.logits, ones({2})); }),
      refuses<ShapeError>("cross_entropy: labels [2] is bool, expected",
                          [](Program& p) { return cross_entropy(p.logits, bools({2}, true)); }),
      refuses<ValueError>("cross_entropy: label_smoothing 1.5, expected 0 to 1",
                          [](Program& p) { return cross_entropy(p.logits, p.labels, {.label_smoothing = 1.5f}); }),
      refuses<ValueError>("cross_entropy: logits [1, 2] have a row of nothing but -inf",
                          [](Program&) {
                            return cross_entropy(full({1, 2}, -infinity), indices({0}));
                          }),
      refuses<ValueError>("softmax: input [1, 2] has a line of nothing but -inf along axis -1",
                          [](Program&) {
                            return softmax(full({1, 2}, -infinity));
                          }),
      refuses<ShapeError>("mse_loss: input [2, 1] and target [2], expected the same shape",
                          [](Program&) {
                            return mse_loss(ones({2, 1}), ones({2}));
                          }),
      refuses<ValueError>("l1_loss: mean over input [0], which is empty",
                          [](Program&) { return l1_loss(ones({0}), ones({0})); }),
      refuses<ValueError>("huber_loss: delta 0, expected above 0",
                          [](Program&) { return huber_loss(ones({2}), ones({2}), {.delta = 0.0f}); }),
      refuses<ValueError>("dropout: p is 1, expected from 0 to below 1",
                          [](Program&) { return dropout(ones({2}), 1.0); }),
      refuses<ValueError>("dropout: p is nan, expected from 0 to below 1",
                          [](Program&) { return dropout(ones({2}), static_cast<double>(nan)); }),
      refuses<ValueError>("clamp: from 1 to nan, expected low <= high",
                          [](Program&) { return clamp(ones({2}), 1.0f, nan); }),
  });
}

}  // namespace temper::test
