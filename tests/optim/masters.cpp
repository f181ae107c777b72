// Parameters in bf16, for which the optimizer keeps f32 master weights.

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/optim/optim.hpp>

#include "optim/kernels/table.hpp"
#include "tests/optim/near_internal.hpp"
#include "tests/optim/numbers_internal.hpp"

using namespace temper;
using namespace temper::optim;

namespace {

constexpr std::int64_t n = 20011;

Tensor drawn(Numbers& numbers) {
  Tensor x = empty({n});
  for (float& value : x.mutable_values<float>()) value = numbers();
  return x;
}

Tensor narrowed(const Tensor& x) {
  Tensor y = empty(x.shape(), Dtype::bf16);
  optim_kernels::current().to_bf16(x.data<float>(), reinterpret_cast<std::uint16_t*>(y.mutable_data<BFloat16>()),
                                   x.numel());
  return y;
}

Tensor widened(const Tensor& x) {
  Tensor y = empty(x.shape());
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    y.mutable_data<float>()[i] = std::bit_cast<float>(std::uint32_t{x.data<BFloat16>()[i].bits} << 16);
  }
  return y;
}

bool same(const Tensor& a, const Tensor& b) {
  for (std::int64_t i = 0; i < a.numel(); ++i) {
    if (a.data<BFloat16>()[i].bits != b.data<BFloat16>()[i].bits) return false;
  }
  return true;
}

const AdamWOptions options = {.lr = 1e-3, .clip_norm = 1.0};

}  // namespace

TEST_CASE("a bf16 parameter is the rounded f32 one after every step, resumed or not") {
  Numbers numbers;
  const Tensor start = narrowed(drawn(numbers));
  Parameter narrow = Parameter(start.clone(), Role::weight).named("p");
  Parameter wide = Parameter(widened(start), Role::weight).named("p");
  AdamW first({narrow}, options), reference({wide}, options);
  AdamW second({narrow}, options);
  AdamW* adamw = &first;
  CHECK(first.state().tensors.at("p/master").shape() == Shape{n});
  for (int step = 0; step < 8; ++step) {
    if (step == 5) {
      second.load(first.state());
      adamw = &second;
    }
    const Tensor g = drawn(numbers);
    narrow.set_gradient(g);
    wide.set_gradient(g);
    const std::uint32_t version = narrow.value().version();
    const StepReport a = adamw->step({.measure = true}), b = reference.step({.measure = true});
    CHECK(a.grad_norm == b.grad_norm);
    CHECK(a.update_ratio == b.update_ratio);
    REQUIRE(same(narrow.value(), narrowed(wide.value())));
    CHECK(narrow.value().version() > version);
  }
  CHECK_FALSE(same(narrow.value(), start));
  CHECK(second.bf16(narrow).same(narrow.value()));
}

TEST_CASE("steps far below the resolution of bf16 accumulate in the master weights") {
  Parameter p(narrowed(temper::full({100}, 1.0f)), Role::weight);
  SGD sgd({p}, {.lr = 1e-4});
  for (int step = 0; step < 1000; ++step) {
    p.set_gradient(temper::full({100}, 1.0f));
    sgd.step();
  }
  CHECK(widened(p.value()).values<float>()[99] == near(0.9, 0.004));
}

TEST_CASE("training continues from values that are loaded into a bf16 parameter") {
  Parameter p = Parameter(narrowed(temper::full({3}, 1.0f)), Role::weight).named("p");
  SGD sgd({p}, {.lr = 1e-4});
  const auto step = [&] {
    p.set_gradient(temper::full({3}, 1.0f));
    sgd.step();
  };
  step();
  Tensor(p.value()).mutable_data<BFloat16>()[1] = BFloat16{0x4040};  // 3
  step();
  const Tensor master = sgd.state().tensors.at("p/master");
  CHECK(master.values<float>()[0] == near(0.9998));  // masters of unchanged elements keep their full precision
  CHECK(master.values<float>()[1] == near(2.9999));
}

TEST_CASE("averages of bf16 parameters are f32, and swap in rounded") {
  Parameter p(narrowed(temper::full({3}, 1.0f)), Role::weight);
  SGD sgd({p}, {.lr = 0.25});
  sgd.average({.equal = true});
  for (int i = 0; i < 3; ++i) {
    p.set_gradient(temper::full({3}, 1.0f));
    sgd.step();
  }
  CHECK(sgd.averaged(p).values<float>()[0] == near(0.5));
  sgd.swap_averages();
  CHECK(widened(p.value()).values<float>()[2] == 0.5f);
  sgd.swap_averages();
  CHECK(widened(p.value()).values<float>()[2] == 0.25f);
}

TEST_CASE("parameters are f32 or bf16") {
  CHECK_THROWS_WITH_AS(Parameter(arange(3), Role::weight), "parameter [3] is i64, expected f32 or bf16", ShapeError);
}
