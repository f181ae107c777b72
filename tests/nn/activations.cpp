// The layers of activations: each gives what its operation gives, under PyTorch's name.

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <temper/autograd/ops.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>
#include <temper/core/random.hpp>
#include <temper/nn/layers.hpp>

using namespace temper;

namespace {

void check_same(const nn::Layer& layer, const Tensor& x, const Tensor& expected, const std::string& description) {
  CAPTURE(description);
  const Tensor y = layer(x);
  CHECK(y.shape() == expected.shape());
  CHECK(std::ranges::equal(y.values<float>(), expected.values<float>()));
  CHECK(layer.description() == description);
}

}  // namespace

TEST_CASE("activations as layers give what their operations give, and say how they are called") {
  manual_seed(4);
  const Tensor x = normal({3, 6}, 0, 4);
  check_same(nn::ELU(), x, elu(x), "ELU(1)");
  check_same(nn::ELU(0.5f), x, elu(x, 0.5f), "ELU(0.5)");
  check_same(nn::SELU(), x, selu(x), "SELU");
  check_same(nn::CELU(2.0f), x, celu(x, 2.0f), "CELU(2)");
  check_same(nn::Mish(), x, mish(x), "Mish");
  check_same(nn::Softsign(), x, softsign(x), "Softsign");
  check_same(nn::Hardsigmoid(), x, hardsigmoid(x), "Hardsigmoid");
  check_same(nn::Hardswish(), x, hardswish(x), "Hardswish");
  check_same(nn::Hardtanh(), x, hardtanh(x), "Hardtanh(-1, 1)");
  check_same(nn::Hardtanh(-2.0f, 0.5f), x, hardtanh(x, -2.0f, 0.5f), "Hardtanh(-2, 0.5)");
  check_same(nn::ReLU6(), x, relu6(x), "ReLU6");
  check_same(nn::LogSigmoid(), x, logsigmoid(x), "LogSigmoid");
  check_same(nn::Tanhshrink(), x, tanhshrink(x), "Tanhshrink");
  check_same(nn::Softshrink(), x, softshrink(x, 0.5f), "Softshrink(0.5)");
  check_same(nn::Hardshrink(1.5f), x, hardshrink(x, 1.5f), "Hardshrink(1.5)");
  check_same(nn::Threshold(0.25f, -3.0f), x, threshold(x, 0.25f, -3.0f), "Threshold(0.25, -3)");
  check_same(nn::GLU(), x, glu(x), "GLU");
  check_same(nn::PReLU(), x, prelu(x, full({1}, 0.25f)), "PReLU(1)");
  check_same(nn::PReLU(6, 0.1f), x, prelu(x, full({6}, 0.1f)), "PReLU(6)");
}

TEST_CASE("the slope of PReLU is a parameter that learns and does not decay") {
  const nn::Sequential model(nn::PReLU(2), nn::Mish());
  REQUIRE(model.parameters().size() == 1);
  const Parameter slope = model.parameters()[0];
  CHECK(slope.name() == "0.weight");
  CHECK(slope.role() == Role::norm_gain);
  Tape tape;
  tape.backward(sum(nn::PReLU(2)(ones({1, 2})) + model(from({-1, 2}, {1, 2}))));
  CHECK(slope.gradient().data<float>()[0] < 0.0f);
  CHECK(slope.gradient().data<float>()[1] == 0.0f);
  CHECK_THROWS_WITH_AS(nn::PReLU(0), "PReLU: 0 features, expected at least 1", ValueError);
  CHECK_THROWS_WITH_AS(nn::PReLU(3)(ones({2, 2})), "prelu: weight [3], input [2, 2] expects [1] or [2]", ShapeError);
}
