// Operations on axes of size 0 give an empty result or an error that names what is wrong; none divides by zero.

#include <doctest/doctest.h>

#include <set>

#include <temper/autograd/ops.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>
#include <temper/nn/layers.hpp>

#include "tests/ops/golden.hpp"
#include "tests/ops/op_test.hpp"

namespace temper::test {

namespace {

/// The first elements of a tensor, in a shape with as many elements or fewer.
Tensor shrunk(const Tensor& x, const Shape& shape) {
  Tensor y = zeros(shape, x.dtype());
  if (shape.numel() > 0) y.copy_from(x.view({x.numel()}).rows(0, shape.numel()).view(shape));
  return y;
}

/// A tensor with every axis of the given size emptied.
Tensor emptied(const Tensor& x, std::int64_t size) {
  Shape shape = x.shape();
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] == size) shape = shape.resized(axis, 0);
  }
  return shrunk(x, shape);
}

/// Runs forward and backward. Returns true for a result, false for an error.
bool works(const Engine& engine, const Tensors& inputs, const reference::Attributes& attributes) {
  try {
    Tape tape;
    for (const Tensor& input : inputs) {
      if (input.dtype() == Dtype::f32) tape.watch(input);
    }
    Tensor loss;
    for (const Tensor& output : engine(inputs, attributes)) {
      if (output.dtype() != Dtype::f32) continue;
      const Tensor part = sum(output);
      loss = loss.defined() ? loss + part : part;
    }
    if (!loss.defined() || tape.size() == 0) return true;
    tape.backward(loss);
    for (const Tensor& input : inputs) {
      if (input.dtype() != Dtype::f32) continue;
      const Tensor gradient = tape.gradient(input);
      if (gradient.defined()) CHECK(gradient.shape() == input.shape());
    }
    return true;
  } catch (const Error& error) {
    CHECK(std::string(error.what()).size() > 10);
    return false;
  }
}

}  // namespace

TEST_CASE("operations on tensors without elements give a result or an error") {
  int results = 0, errors = 0;
  for (const OpTest& test : all_ops()) {
    CAPTURE(test.name);
    for (const GoldenCase& golden : golden_cases()) {
      if (golden.op != test.name) continue;
      CAPTURE(golden.number);
      std::set<std::int64_t> sizes;
      for (const Tensor& input : golden.inputs) sizes.insert(input.shape().begin(), input.shape().end());
      for (const std::int64_t size : sizes) {
        // In all inputs, as with an empty batch or text, and in only one of them.
        Tensors all;
        for (const Tensor& input : golden.inputs) all.push_back(emptied(input, size));
        ++(works(test.engine, all, golden.attributes) ? results : errors);
        for (std::size_t i = 0; i < golden.inputs.size() && golden.inputs.size() > 1; ++i) {
          Tensors one = golden.inputs;
          one[i] = all[i];
          ++(works(test.engine, one, golden.attributes) ? results : errors);
        }
      }
    }
  }
  MESSAGE(results << " results, " << errors << " errors");
  CHECK(results > 1000);
  CHECK(errors > 100);
}

TEST_CASE("texts without tokens and batches without examples") {
  CHECK(self_attention(zeros({2, 0, 24}), 2).shape() == Shape{2, 0, 8});
  CHECK(self_attention(zeros({0, 5, 24}), 2).shape() == Shape{0, 5, 8});
  const Tensor none = zeros({2, 3, 0, 4});
  CHECK(scaled_dot_product_attention(none, none, none).shape() == Shape{2, 3, 0, 4});
  const nn::MultiheadAttention mixer(8, {.heads = 2});
  for (const Shape& shape : {Shape{3, 0, 8}, Shape{0, 4, 8}}) {
    Tape tape;
    const Tensor y = mixer(zeros(shape));
    CHECK(y.shape() == shape);
    tape.backward(sum(y));
    for (const Parameter& parameter : mixer.parameters()) {
      if (!parameter.gradient().defined()) continue;
      for (const float g : parameter.gradient().values<float>()) CHECK(g == 0.0f);
    }
  }
  const nn::Sequential images(nn::Conv2d(1, 4, {.kernel = 3, .padding = 1}), nn::ReLU(), nn::MaxPool2d(2),
                              nn::Flatten(), nn::Linear(4 * 4 * 4, 3));
  Tape tape;
  const Tensor y = images(zeros({0, 8, 8, 1}));
  CHECK(y.shape() == Shape{0, 3});
  tape.backward(sum(y));
}

}  // namespace temper::test
