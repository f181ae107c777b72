// Averaged weights that are swapped in, and the batch statistics for them.

#include <temper/train/averages.hpp>

#include <doctest/doctest.h>

#include <array>
#include <vector>

#include <temper/autograd/ops/cast.hpp>
#include <temper/core/errors.hpp>
#include <temper/nn/layers.hpp>
#include <temper/optim/sgd.hpp>

using namespace temper;

namespace {

struct Batches {
  std::vector<std::array<Tensor, 2>> batches;
  auto begin() { return batches.begin(); }
  auto end() { return batches.end(); }
};

/// One channel, two pixels.
Tensor image(float a, float b) { return from({a, b}, {1, 1, 2, 1}); }

class Model : public nn::Module {
 public:
  Tensor operator()(const Tensor& x) const { return second_(norm_(x)); }
  void members(nn::Members& m) const override {
    m("norm", norm_);
    m("second", second_);
  }
  float mean() const { return norm_.running_mean.values<float>()[0]; }
  float variance() const { return norm_.running_var.values<float>()[0]; }
  float frozen_mean() const { return second_.running_mean.values<float>()[0]; }

 private:
  nn::BatchNorm2d norm_{1, {.momentum = 0.25f}};
  nn::BatchNorm2d second_{1, {.frozen = true}};
};

}  // namespace

TEST_CASE("AveragedWeights swaps in, and out again") {
  Parameter p(ones({2}), Role::weight);
  optim::SGD sgd({p}, {.lr = 1.0});
  sgd.average({.equal = true});
  CHECK_THROWS_AS(AveragedWeights{sgd}, ValueError);
  for (int i = 0; i < 3; ++i) {
    p.set_gradient(ones({2}));
    sgd.step();
  }
  {
    const AveragedWeights averaged(sgd);
    CHECK(p.value().values<float>()[0] == doctest::Approx(-1.0));
    CHECK_THROWS_AS(sgd.step(), ValueError);
  }
  CHECK(p.value().values<float>()[0] == -2.0f);
}

TEST_CASE("batch statistics are re-estimated as the mean over the batches") {
  const Model model;
  Batches loader{{{image(1, 3), indices({0})}, {image(10, 14), indices({0})}, {image(-1, 1), indices({0})}}};
  for (int again = 0; again < 2; ++again) {
    reestimate_batch_statistics(model, loader);
    CHECK(model.mean() == doctest::Approx((2.0 + 12.0 + 0.0) / 3));
    CHECK(model.variance() == doctest::Approx((2.0 + 8.0 + 2.0) / 3));  // unbiased
    CHECK(model.frozen_mean() == 0.0f);
  }
}

TEST_CASE("a norm without batch statistics throws instead of dividing by 0") {
  const nn::BatchNorm2d still(1, {.momentum = 0.0f});
  Batches loader{{{image(1, 3), indices({0})}}};
  CHECK_THROWS_WITH_AS(
      reestimate_batch_statistics(still, loader),
      "reestimate_batch_statistics: a BatchNorm2d has momentum 0, so it gathers no statistics; expected a "
      "positive one, or a norm that is frozen",
      ValueError);
  CHECK(still.running_mean.values<float>()[0] == 0.0f);
}

TEST_CASE("a destructor that cannot swap averages back does not end the program") {
  Parameter p = Parameter(ones({2}), Role::weight).named("p");
  optim::SGD sgd({p}, {.lr = 1.0});
  sgd.average({.equal = true});
  p.set_gradient(ones({2}));
  sgd.step();
  {
    const AveragedWeights averaged(sgd);
    p.set_value(to(p.value(), Dtype::bf16));
  }
  p.set_gradient(ones({2}));
  CHECK_THROWS_AS(sgd.step(), ValueError);
}

TEST_CASE("the old statistics are restored if a batch throws or there is none") {
  const Model model;
  Batches good{{{image(1, 3), indices({0})}}}, none, wrong{{{image(5, 6), indices({0})}, {zeros({3}), indices({0})}}};
  reestimate_batch_statistics(model, good);
  CHECK_THROWS_WITH_AS(reestimate_batch_statistics(model, none),
                       "reestimate_batch_statistics: the loader has no batches", ValueError);
  CHECK_THROWS_AS(reestimate_batch_statistics(model, wrong), ShapeError);
  CHECK(model.mean() == doctest::Approx(2.0));
}
