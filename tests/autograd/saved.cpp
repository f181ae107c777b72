// Which tensors the tape saves: the operands that a wanted gradient needs, and no others.

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <new>
#include <optional>

#include <temper/autograd/ops.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>
#include <temper/core/pool.hpp>

#include "tests/autograd/numbers.hpp"

using namespace temper;
using namespace temper::test;

namespace {

using Function = std::function<Tensor(const Tensor&, const Tensor&)>;

/// Records f(a, b) with one of the two wanted, and changes the other's values (`changed` 0 or 1) before backward.
void change_before_backward(const Function& f, Tensor a, Tensor b, int wanted, int changed) {
  Tape tape;
  tape.watch(wanted == 0 ? a : b);
  const Tensor loss = sum(f(a, b));
  (changed == 0 ? a : b).fill(2.0f);
  tape.backward(loss);
}

}  // namespace

TEST_CASE("an operand that no wanted gradient needs may change before backward, one that is needed may not") {
  struct Case {
    const char* name;
    Function f;
    Shape a, b;
    bool a_needs_itself = false, b_needs_itself = false;
  };
  const Tensor bias = zeros({4});
  const Case cases[] = {
      {"mul", [](const Tensor& a, const Tensor& b) { return a * b; }, {4}, {4}},
      {"div", [](const Tensor& a, const Tensor& b) { return a / b; }, {4}, {4}, false, true},
      {"matmul", [](const Tensor& a, const Tensor& b) { return matmul(a, b); }, {2, 4}, {4, 4}},
      {"linear", [](const Tensor& a, const Tensor& b) { return linear(a, b); }, {2, 4}, {4, 4}},
      {"linear_relu", [&](const Tensor& a, const Tensor& b) { return linear_relu(a, b, bias); }, {2, 4}, {4, 4}},
      {"linear_gelu", [&](const Tensor& a, const Tensor& b) { return linear_gelu(a, b, bias); }, {2, 4}, {4, 4}},
      {"conv2d", [](const Tensor& a, const Tensor& b) { return conv2d(a, b); }, {1, 3, 3, 4}, {4, 4, 2, 2}},
      {"conv_transpose2d",
       [](const Tensor& a, const Tensor& b) { return conv_transpose2d(a, b); },
       {1, 3, 3, 4},
       {4, 4, 2, 2}},
      {"rms_norm", [](const Tensor& a, const Tensor& b) { return rms_norm(a, b); }, {2, 4}, {4}, true, false},
      {"group_norm", [&](const Tensor& a, const Tensor& b) { return group_norm(a, 2, b, bias); }, {2, 3, 4}, {4}, true},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    const auto with = [&](int wanted, int changed) {
      change_before_backward(c.f, ones(c.a), ones(c.b), wanted, changed);
    };
    CHECK_THROWS_AS(with(0, 1), TapeError);
    if (c.a_needs_itself) {
      CHECK_THROWS_AS(with(0, 0), TapeError);
    } else {
      CHECK_NOTHROW(with(0, 0));
    }
    if (c.b_needs_itself) {
      CHECK_THROWS_AS(with(1, 1), TapeError);
    } else {
      CHECK_NOTHROW(with(1, 1));
    }
    CHECK_THROWS_AS(with(1, 0), TapeError);
  }
}

TEST_CASE("a norm that only its bias is trained of saves no input") {
  const Parameter bias(zeros({4}), Role::bias);
  Tensor x = normal({2, 3, 4});
  Tape tape;
  const Tensor loss = sum(group_norm(x, 2, ones({4}), bias));
  x.fill(2.0f);
  tape.backward(loss);
  for (const float gradient : bias.gradient().values<float>()) CHECK(gradient == 6.0f);
}

TEST_CASE("a batch norm that only its bias is trained of saves neither weight nor input") {
  const Parameter bias(zeros({4}), Role::bias);
  Tensor x = normal({6, 4}), weight = ones({4}), mean = zeros({4});
  Tape tape;
  const Tensor loss = sum(batch_norm(x, weight, bias, mean, ones({4}), {.frozen = true}));
  for (Tensor* changed : {&x, &weight, &mean}) changed->fill(2.0f);
  tape.backward(loss);
  for (const float gradient : bias.gradient().values<float>()) CHECK(gradient == 6.0f);
}

TEST_CASE("frozen layers save no activations") {
  Parameter w(normal({256, 256}), Role::weight), kernel(normal({64, 64, 3, 3}), Role::weight);
  w.freeze();
  kernel.freeze();
  const Tensor gain = ones({64}), shift = zeros({64}), mean = zeros({64}), variance = ones({64});
  const auto kept = [](const Shape& shape, const auto& layer) {
    const Tensor x = zeros(shape);
    const std::size_t before = pool_stats().live;
    Tape tape;
    tape.watch(x);
    Tensor y = x;
    for (int i = 0; i < 12; ++i) y = layer(y);
    const std::size_t one = static_cast<std::size_t>(x.numel()) * sizeof(float);
    const std::size_t used = (pool_stats().live - before) / one;
    tape.backward(sum(y), std::vector<Parameter>{});
    return used;
  };
  CHECK(kept({256, 256}, [&](const Tensor& x) { return linear(x, w); }) <= 2);
  CHECK(kept({256, 256}, [&](const Tensor& x) { return matmul(x, w); }) <= 2);
  CHECK(kept({256, 256}, [&](const Tensor& x) { return x * w + w; }) <= 2);
  CHECK(kept({8, 16, 16, 64}, [&](const Tensor& x) { return conv2d(x, kernel, Tensor(), {.padding = 1}); }) <= 2);
  const BatchNormOptions frozen{.frozen = true};
  CHECK(kept({8, 16, 16, 64}, [&](const Tensor& x) { return batch_norm(x, gain, shift, mean, variance, frozen); }) <=
        2);
  // A fused activation saves the product, which its gradient needs, but not the input.
  CHECK(kept({256, 256}, [&](const Tensor& x) { return linear_gelu(x, w); }) <= 14);
}

TEST_CASE("tensors that only backward needs are not computed when no gradient is wanted") {
  const Tensor x = ones({1024, 256}), w = ones({256, 256}), image = ones({8, 32, 32, 16});
  const std::size_t one = 1024 * 256 * sizeof(float);
  Tape tape;
  reset_pool_peak();
  const std::size_t before = pool_stats().live;
  linear_gelu(x, w);
  CHECK(pool_stats().peak - before < one + one / 2);
  max_pool2d(image, {.kernel = 2});
  CHECK(tape.size() == 0);
}

TEST_CASE("backward neither runs nor checks operations that are not on a path from the loss to the wanted tensors") {
  const Parameter a = number(3), b = number(4);
  Tensor x = scalar(5);
  int runs = 0;
  const auto counted = [&runs](const Tensor& in) {
    return record("counted", scalar(static_cast<float>(in.item())), {in}, [&runs](const Tensor& dy, Gradients& g) {
      ++runs;
      g.into(0).tensor.fill(static_cast<float>(dy.item()));
    });
  };
  {
    Tape tape;
    times(counted(a), x);  // a metric
    const Tensor loss = times(b, b);
    x.fill(6);
    tape.backward(loss);
    CHECK(runs == 0);
    CHECK(b.gradient().item() == 8);
  }
  {
    Tape tape;
    const Tensor loss = counted(times(a, x));
    tape.backward(loss, std::vector{b});
    CHECK(runs == 0);
    CHECK_FALSE(a.gradient().defined());
  }
  {
    Tape tape;
    const Tensor loss = plus(times(counted(a), x), b);
    x.fill(7);
    tape.backward(loss, std::vector{b});
    CHECK(runs == 0);
    CHECK(b.gradient().item() == 8 + 1);
  }
}

TEST_CASE("a Saved that outlives its tape does not affect later tapes") {
  const Parameter a = number(3);
  Tensor x = scalar(1);
  std::optional<Saved> kept;
  {
    Tape tape;
    kept.emplace(save(x));
  }
  x.fill(2);
  Tape tape;
  tape.backward(times(a, a));
  CHECK(a.gradient().item() == 6);
  kept.reset();
}

TEST_CASE("a backward function that cannot be moved onto the tape leaves it as it was") {
  struct Throwing {
    bool* armed;
    explicit Throwing(bool* flag) : armed(flag) {}
    Throwing(const Throwing& other) : armed(other.armed) {
      if (*armed) throw std::bad_alloc();
    }
    void operator()(const Tensor& dy, Gradients& gradients) const { gradients.give(0, dy); }
  };
  const Parameter a = number(3);
  bool armed = true;
  Tape tape;
  const Throwing backward(&armed);
  const auto recorded = [&] { return record("throwing", scalar(3), std::span(&a.value(), 1), std::ref(backward)); };
  const auto copied = [&] {
    const Tensor input = a;
    return record<Throwing>("throwing", scalar(3), std::span(&input, 1), Throwing(&armed));
  };
  CHECK_THROWS_AS(copied(), std::bad_alloc);
  CHECK(tape.size() == 0);
  armed = false;
  tape.backward(plus(copied(), recorded()));
  CHECK(a.gradient().item() == 2);
}
