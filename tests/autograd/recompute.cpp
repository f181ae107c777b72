#include <temper/autograd/recompute.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include <temper/autograd/ops.hpp>
#include <temper/core/errors.hpp>
#include <temper/core/pool.hpp>

using namespace temper;

namespace {

/// Whether both have gradients with the same bits, or neither has one.
bool same_gradient(const Parameter& a, const Parameter& b) {
  if (!a.gradient().defined() || !b.gradient().defined()) return a.gradient().defined() == b.gradient().defined();
  return std::ranges::equal(a.gradient().values<float>(), b.gradient().values<float>());
}

Parameter weights(const Shape& shape) { return Parameter(normal(shape), Role::weight); }

/// What must be equal for a tape with and without recomputation.
struct Weights {
  Parameter first = weights({8, 8}), second = weights({8, 8}), shared = weights({8, 8});
  std::vector<Parameter> all() const { return {first, second, shared}; }
};

Weights same_weights() {
  manual_seed(3);
  return {};
}

/// A block with a residual and a mask, which uses a weight that others use too.
Tensor block(const Tensor& x, const Parameter& own, const Parameter& shared) {
  return x + dropout(gelu(linear(gelu(linear(x, own)), shared)), 0.3);
}

Tensor loss(const Weights& w, const Tensor& x, bool again) {
  const auto run = [&](const Tensor& in, const Parameter& own) {
    const auto layer = [&w, own](const Tensor& y) { return block(y, own, w.shared); };
    return again ? recompute(layer, in) : layer(in);
  };
  const Tensor middle = linear(x, w.shared);
  // The input of the second block is used outside of it too, so that its gradient has a term before the block's.
  return sum(run(run(middle, w.first), w.second) * middle) + sum(dropout(middle, 0.5));
}

}  // namespace

TEST_CASE("recomputed blocks give the same gradients bit for bit, dropout included") {
  const Weights a = same_weights(), b = same_weights();
  const Tensor x = normal({5, 8});
  const auto gradient = [&](const Weights& w, bool again) {
    manual_seed(7);
    Tape tape;
    tape.watch(x);
    const Tensor l = loss(w, x, again);
    tape.backward(l);
    return std::pair{l.item(), tape.gradient(x)};
  };
  const auto [loss_a, dx_a] = gradient(a, false);
  const auto [loss_b, dx_b] = gradient(b, true);
  CHECK(loss_a == loss_b);
  CHECK(std::ranges::equal(dx_a.values<float>(), dx_b.values<float>()));
  for (std::size_t i = 0; i < 3; ++i) {
    CAPTURE(i);
    CHECK(a.all()[i].gradient().defined());
    CHECK(same_gradient(a.all()[i], b.all()[i]));
  }
}

TEST_CASE("backward for some parameters recomputes only the blocks they need") {
  for (const std::size_t wanted : {0u, 1u, 2u}) {
    const Weights a = same_weights(), b = same_weights();
    const Tensor x = normal({5, 8});
    for (const Weights* w : {&a, &b}) {
      manual_seed(7);
      Tape tape;
      tape.backward(loss(*w, x, w == &b), std::vector{w->all()[wanted]});
    }
    CHECK(a.all()[wanted].gradient().defined());
    for (std::size_t i = 0; i < 3; ++i) CHECK(same_gradient(a.all()[i], b.all()[i]));
  }
}

TEST_CASE("a block runs once in forward and once in backward, and not at all in backward without a gradient") {
  const Parameter w = weights({4}), other = weights({4});
  int runs = 0;
  const auto counted = [&runs, &w](const Tensor& x) {
    ++runs;
    return x * w;
  };
  {
    Tape tape;
    const Tensor y = recompute(counted, ones({4}));
    CHECK(tape.size() == 1);
    tape.backward(sum(y));
    CHECK(runs == 2);
    CHECK(w.gradient().values<float>()[0] == 1);
  }
  {
    Tape tape;
    recompute(counted, ones({4}));
    tape.backward(sum(other * other));
    CHECK(runs == 3);
  }
  {
    Tape tape;
    tape.backward(sum(recompute(counted, other * other)), std::vector{other});
    CHECK(runs == 5);
  }
  {
    Tape tape;
    tape.backward(sum(recompute(counted, ones({4})) + other), std::vector{other});
    CHECK(runs == 6);
  }
  recompute(counted, ones({4}));
  CHECK(runs == 7);
}

TEST_CASE("a block of constants is not recorded, and one that returns its input is the identity") {
  const Parameter w = weights({4});
  Tape tape;
  const Tensor y = recompute([](const Tensor& x) { return x + 1.0f; }, ones({4}));
  CHECK(tape.size() == 0);
  const Tensor z = w * y;
  CHECK(recompute([](const Tensor& x) { return x; }, z).same(z));
  CHECK(recompute([&w](const Tensor&) -> Tensor { return w; }, z).same(w.value()));
  tape.backward(sum(z));
  CHECK(w.gradient().defined());
}

TEST_CASE("tensors that a lambda captured get their gradients") {
  const Parameter w = weights({4});
  Tape tape;
  const Tensor captured = w * 3.0f;
  tape.backward(sum(recompute([captured](const Tensor& x) { return x * captured; }, full({4}, 2.0f))));
  CHECK(w.gradient().values<float>()[0] == 6);
}

TEST_CASE("blocks may contain blocks, tapes and pauses") {
  const Weights a = same_weights(), b = same_weights();
  const Tensor x = normal({5, 8});
  const auto inner = [](const Weights& w, const Tensor& in, bool again) {
    const auto layer = [&w](const Tensor& y) { return block(y, w.first, w.shared); };
    return again ? recompute(layer, in) : layer(in);
  };
  const auto outer = [&](const Weights& w, bool again) {
    const auto layer = [&w, &inner, again](const Tensor& in) {
      double factor = 0;
      {
        const NoTape pause;
        factor = sum(in * in).item();
      }
      {
        const Parameter own = weights({8});
        Tape nested;
        nested.backward(sum(in * own));
        factor += own.gradient().values<float>()[0];
      }
      const Tensor y = inner(w, inner(w, in, again), again);
      return linear(y, w.second) * static_cast<float>(factor) * normal({8});
    };
    manual_seed(11);
    Tape tape;
    const Tensor start = linear(x, w.shared), y = again ? recompute(layer, start) : layer(start);
    tape.backward(sum(y * y));
    return normal({1}).item();  // later draws are the same, too
  };
  CHECK(outer(a, false) == outer(b, true));
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(a.all()[i].gradient().defined());
    CHECK(same_gradient(a.all()[i], b.all()[i]));
  }
}

TEST_CASE("a block draws the same whatever happens to the random generator meanwhile") {
  const Weights a = same_weights(), b = same_weights();
  const Tensor x = normal({5, 8});
  for (const bool draws : {false, true}) {  // besides its dropout masks
    const auto gradients = [&](const Weights& w, bool again) {
      const auto layer = [&](const Tensor& in) {
        const Tensor y = block(in, w.first, w.shared);
        return draws ? y * normal({8}) : y;
      };
      manual_seed(7);
      Tape tape;
      const Tensor y = again ? recompute(layer, x) : layer(x);
      manual_seed(1000);
      normal({3});
      tape.backward(sum(y * y));
      // The second run does not advance the generator.
      CHECK(random_state() == RandomState{.seed = 1000, .draws = 1, .tapes = 0});
    };
    gradients(a, false);
    gradients(b, true);
    CHECK(same_gradient(a.first, b.first));
    CHECK(same_gradient(a.shared, b.shared));
  }
}

TEST_CASE("random draws of other threads while a block runs are neither repeated nor undone") {
  const Parameter w = weights({4});
  manual_seed(3);
  int runs = 0;
  const auto other_draws = [] { std::thread([] { normal({1}); }).join(); };
  const auto layer = [&](const Tensor& x) {
    Tensor y = x * w * normal({4});
    if (++runs == 1) other_draws();
    y = y * normal({4});
    if (runs == 2) other_draws();
    return y;
  };
  Tape tape;
  tape.backward(sum(recompute(layer, ones({4}))));
  CHECK(random_state().draws == 4);
  manual_seed(3);
  const Tensor first = normal({4}), other = normal({1}), third = normal({4});
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(w.gradient().values<float>()[i] == doctest::Approx(first.values<float>()[i] * third.values<float>()[i]));
  }
}

TEST_CASE("running statistics are updated once") {
  const Parameter gain(ones({3}), Role::norm_gain), bias(zeros({3}), Role::bias);
  const Tensor x = normal({6, 3});
  const auto moved = [&](bool again) {
    Tensor mean = zeros({3}), variance = ones({3});
    const auto norm = [&, mean, variance](const Tensor& in) { return batch_norm(in, gain, bias, mean, variance); };
    Tape tape;
    const Tensor y = again ? recompute(norm, x) : norm(x);
    tape.backward(sum(y * y));
    return std::pair{mean, variance};
  };
  const auto [mean, variance] = moved(false);
  const auto [mean_again, variance_again] = moved(true);
  CHECK(mean.values<float>()[0] != 0);
  CHECK(std::ranges::equal(mean.values<float>(), mean_again.values<float>()));
  CHECK(std::ranges::equal(variance.values<float>(), variance_again.values<float>()));
}

TEST_CASE("the activations inside a block are not kept") {
  const Parameter w = weights({256, 256});
  const auto peak = [&](bool again) {
    const Tensor x = ones({1024, 256});
    reset_pool_peak();
    const std::size_t before = pool_stats().live;
    Tape tape;
    Tensor y = x;
    for (int i = 0; i < 8; ++i) {
      const auto layer = [&w](const Tensor& in) { return in + tanh(linear(tanh(linear(tanh(in), w)), w)); };
      y = again ? recompute(layer, y) : layer(y);
    }
    tape.backward(mean(y));
    discard_gradients({w});
    return pool_stats().peak - before;
  };
  const std::size_t one = 1024 * 256 * sizeof(float);
  CHECK(peak(false) >= 8 * 3 * one);
  // The inputs of the blocks, and the activations and temporaries of one block.
  CHECK(peak(true) <= (8 + 10) * one);
}

TEST_CASE("a block given as an rvalue is moved onto the tape, one that cannot be copied is referenced") {
  const auto token = std::make_shared<int>(1);
  const Parameter w = weights({2});
  {
    Tape tape;
    recompute([token, &w](const Tensor& x) { return x * w; }, ones({2}));
    CHECK(token.use_count() == 2);
  }
  CHECK(token.use_count() == 1);
  const auto owner = [own = std::make_unique<Parameter>(w)](const Tensor& x) { return x * *own; };
  Tape tape;
  tape.backward(sum(recompute(owner, ones({2}))));
  CHECK(w.gradient().defined());
}

TEST_CASE("a second run that differs from the first is an error, and leaves no gradient") {
  Parameter w = weights({4});
  const auto backward = [&w](auto layer, auto between) {
    Tape tape;
    Tensor x = ones({4});
    const Tensor y = recompute(layer, x);
    between(x);
    tape.backward(sum(y));
  };
  const auto nothing = [](Tensor&) {};
  const auto times = [&w](const Tensor& x) { return x * w; };
  const char* const changed =
      "backward: a tensor [4] that a gradient needs was changed in place after it was used (version 2, saved at 1)";
  CHECK_THROWS_WITH_AS(backward(times, [](Tensor& x) { x.fill(2.0f); }), changed, TapeError);
  CHECK_THROWS_WITH_AS(backward(times, [&w](Tensor&) { Tensor(w.value()).fill(2.0f); }), changed, TapeError);

  int runs = 0;
  CHECK_THROWS_WITH_AS(backward([&](const Tensor& x) { return ++runs > 1 ? slice(x * w, 0, 0, 2) : x * w; }, nothing),
                       "recompute: the block gave f32 [2] with 0 random masks, the first time f32 [4] with 0",
                       TapeError);
  runs = 0;
  CHECK_THROWS_WITH_AS(backward([&](const Tensor& x) { return ++runs > 1 ? dropout(x * w, 0.5) : x * w; }, nothing),
                       "recompute: the block gave f32 [4] with 1 random masks, the first time f32 [4] with 0",
                       TapeError);
  runs = 0;
  CHECK_THROWS_WITH_AS(
      backward([&](const Tensor& x) { return ++runs > 1 ? Tensor() : x * w; }, nothing),
      "recompute: the block gave an undefined tensor with 0 random masks, the first time f32 [4] with 0", TapeError);
  runs = 0;
  CHECK_THROWS_WITH_AS(backward([&](const Tensor& x) { return ++runs > 1 ? throw ValueError("no") : x * w; }, nothing),
                       "no", ValueError);
  CHECK_FALSE(w.gradient().defined());
  CHECK_FALSE(recording());

  // Tensors that the block uses besides its inputs, on the tape or not.
  Tensor constant = ones({4});
  CHECK_THROWS_WITH_AS(
      backward([&](const Tensor& x) { return x * w * constant; }, [&](Tensor&) { constant.fill(100.0f); }), changed,
      TapeError);
  const Tensor threshold = ones({4});
  CHECK_THROWS_WITH_AS(backward([&](const Tensor& x) { return where(less(x, threshold), x * w, x + w); },
                                [&](Tensor&) { Tensor(threshold).fill(100.0f); }),
                       "recompute: the block gave other numbers than the first time", TapeError);
  runs = 0;
  CHECK_THROWS_WITH_AS(backward([&](const Tensor& x) { return x * w * static_cast<float>(++runs); }, nothing),
                       "recompute: the block gave other numbers than the first time", TapeError);
  runs = 0;
  CHECK_THROWS_WITH_AS(
      backward([&](const Tensor& x) { return ++runs > 1 ? x * w * (normal({4}) * 0.0f + 1.0f) : x * w; }, nothing),
      "recompute: the block drew 1 times from the random generator, the first time 0", TapeError);
  // A replaced value is an error even if the results are equal, as here, where the input is 0.
  const auto times_zero = [&w](const Tensor& x) { return (x * 0.0f) * w; };
  CHECK_THROWS_WITH_AS(backward(times_zero, [&w](Tensor&) { w.set_value(full({4}, 100.0f)); }),
                       "recompute: the block used a parameter [4] that it did not use the first time", TapeError);
  CHECK_FALSE(w.gradient().defined());

  Tape tape;
  CHECK_THROWS_WITH_AS(recompute([](const Tensor&) { return Tensor(); }, w.value()),
                       "recompute: the block gave an undefined tensor", ValueError);
  // After an exception in the second run, nothing is recording.
  CHECK_THROWS_AS(recompute([](const Tensor&) -> Tensor { throw ValueError("no"); }, w.value()), ValueError);
  tape.backward(sum(w * w));
  CHECK(w.gradient().defined());
}
