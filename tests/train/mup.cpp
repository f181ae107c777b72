#include <temper/train/mup.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include <temper/temper.hpp>

using namespace temper;

namespace {

nn::Sequential network(std::int64_t width) {
  return nn::Sequential(nn::Linear(8, width), nn::ReLU(), nn::Linear(width, width), nn::ReLU(), nn::Linear(width, 4));
}

double size_of(const nn::Module& model, const std::string& name) {
  for (const Parameter& parameter : model.parameters()) {
    if (parameter.name() != name) continue;
    double sum = 0;
    for (const float x : parameter.value().values<float>()) sum += static_cast<double>(x) * static_cast<double>(x);
    return std::sqrt(sum / static_cast<double>(parameter.shape().numel()));
  }
  return -1;
}

double rate_of(const optim::Groups& groups, const std::string& name) {
  for (const optim::Group& group : groups) {
    for (const Parameter& parameter : group.parameters) {
      if (parameter.name() == name) return group.lr_scale(0);
    }
  }
  return -1;
}

/// Trains networks of growing width for some steps, and returns the sizes of what their layers put out.
template <class Optimizer, class Options>
CoordinateCheck coordinates(bool scaled, MupRule rule, double lr, std::uint64_t seed = 1) {
  CoordinateCheck check;
  manual_seed(seed);
  const Tensor inputs = normal({32, 8}), targets = normal({32, 4});
  for (const std::int64_t width : {64, 128, 256, 512}) {
    const nn::Sequential base = network(64), model = network(width);
    const optim::Groups groups = scaled ? mup(model, base, rule) : optim::Groups(model.parameters());
    Optimizer optimizer(groups, Options{.lr = lr});
    for (int step = 0; step <= 5; ++step) {
      check.add(width, model, [&] { model(inputs); });
      Tape tape;
      const Tensor difference = model(inputs) - targets;
      tape.backward(mean(difference * difference));
      optimizer.step();
    }
  }
  return check;
}

}  // namespace

TEST_CASE("muP scales initial weights and rates by table 3") {
  manual_seed(3);
  const nn::Sequential base = network(64);
  for (const MupRule rule : {MupRule::adam, MupRule::sgd}) {
    const bool adam = rule == MupRule::adam;
    const nn::Sequential model = network(256);  // 4 times as wide
    const optim::Groups groups = mup(model, base, rule);
    CHECK(size_of(model, "0.weight") == doctest::Approx(size_of(base, "0.weight")));
    CHECK(size_of(model, "0.bias") == doctest::Approx(size_of(base, "0.bias")));
    CHECK(size_of(model, "2.weight") == doctest::Approx(size_of(base, "2.weight") / 2));
    CHECK(size_of(model, "4.weight") == doctest::Approx(size_of(base, "4.weight") / 4));
    CHECK(size_of(model, "4.bias") == doctest::Approx(size_of(base, "4.bias")));
    CHECK(rate_of(groups, "0.weight") == (adam ? 1.0 : 4.0));
    CHECK(rate_of(groups, "0.bias") == (adam ? 1.0 : 4.0));
    CHECK(rate_of(groups, "2.weight") == (adam ? 0.25 : 1.0));
    CHECK(rate_of(groups, "4.weight") == 0.25);
    CHECK(rate_of(groups, "4.bias") == 1.0);
  }
}

TEST_CASE("muP of the base's own width changes nothing") {
  const nn::Sequential base = network(16), model = network(16);
  mup(model, base, MupRule::adam);
  CHECK(size_of(model, "2.weight") == doctest::Approx(size_of(base, "2.weight")));
  for (const optim::Group& group : mup(model, base, MupRule::sgd)) CHECK(group.lr_scale(0) == 1.0);
}

TEST_CASE("muP divides weight decay by the rate's factor, and does not decay biases") {
  const nn::Sequential base = network(16), model = network(64);
  double weights = 0;
  for (const optim::Group& group : mup(model, base, MupRule::adam, {.weight_decay = 0.1})) {
    REQUIRE(group.set.size() == 1);
    CHECK(group.set[0].name == "weight_decay");
    if (group.parameters[0].role() == Role::weight) {
      CHECK(group.set[0].value(0) * group.lr_scale(0) == doctest::Approx(0.1));
      weights += 1;
    } else {
      CHECK(group.set[0].value(0) == 0.0);
    }
  }
  CHECK(weights == 2);  // groups: of the first layer, and of the others
}

TEST_CASE("a row of an embedding is no sum over the vocabulary") {
  struct Model : nn::Module {
    explicit Model(std::int64_t width) : embedding(10, width) {}
    void members(nn::Members& m) const override { m("embedding", embedding); }
    nn::Embedding embedding;
  };
  const Model base(8), model(32);
  const optim::Groups groups = mup(model, base, MupRule::sgd);
  CHECK(size_of(model, "embedding.weight") == doctest::Approx(size_of(base, "embedding.weight")));
  CHECK(rate_of(groups, "embedding.weight") == 4.0);
}

TEST_CASE("a base of another network is refused with all that does not fit, and nothing changes") {
  const nn::Sequential base(nn::Linear(8, 16), nn::ReLU(), nn::Conv2d(1, 4, {.kernel = 3}));
  const nn::Sequential model(nn::Linear(8, 64), nn::ReLU(), nn::Conv2d(1, 4, {.kernel = 5}), nn::ReLU(), nn::Linear(4, 4));
  const double before = size_of(model, "0.bias");
  try {
    mup(model, base, MupRule::adam);
    FAIL("no error");
  } catch (const ValueError& error) {
    const std::string text = error.what();
    CAPTURE(text);
    for (const char* part : {"mup: the base is another network, nothing was changed:", "2.weight: weight [4, 1, 5, 5], in the base",
                             "4.weight: the base has no such parameter", "4.bias"}) {
      CHECK(text.find(part) != std::string::npos);
    }
    CHECK(text.find("0.weight") == std::string::npos);
  }
  CHECK(size_of(model, "0.bias") == before);
}

TEST_CASE("coordinates stay flat with muP and grow without, for Adam") {
  const CoordinateCheck flat = coordinates<optim::Adam, optim::AdamOptions>(true, MupRule::adam, 0.01);
  const CoordinateCheck growing = coordinates<optim::Adam, optim::AdamOptions>(false, MupRule::adam, 0.01);
  CAPTURE(flat.text());
  CAPTURE(growing.text());
  CHECK(flat.growth() < 0.2);
  CHECK(growing.growth() > 0.5);
}

TEST_CASE("coordinates stay flat with muP and grow without, for SGD") {
  const CoordinateCheck flat = coordinates<optim::SGD, optim::SGDOptions>(true, MupRule::sgd, 0.1);
  const CoordinateCheck growing = coordinates<optim::SGD, optim::SGDOptions>(false, MupRule::sgd, 0.1);
  CAPTURE(flat.text());
  CAPTURE(growing.text());
  CHECK(flat.growth() < 0.2);
  CHECK(growing.growth("4") > flat.growth("4") + 0.2);
}

TEST_CASE("a coordinate check fits the slope of sizes over widths") {
  struct Times : nn::Layer {
    explicit Times(float its_factor) : factor(its_factor) {}
    Tensor forward(const Tensor& x) const override { return x * factor; }
    float factor;
  };
  CoordinateCheck check;
  const Tensor ones_of = ones({4});
  for (const std::int64_t width : {16, 64, 256}) {
    // The first puts out the root of the width, the second a tenth of it, the width itself.
    const nn::Sequential model(Times(static_cast<float>(std::sqrt(width))), Times(0.1f * static_cast<float>(std::sqrt(width))));
    check.add(width, model, [&] { model(ones_of); });
  }
  CHECK(check.layers() == std::vector<std::string>{"0", "1", "output"});
  CHECK(check.size("0", 64, 0) == doctest::Approx(8));
  CHECK(check.growth("0") == doctest::Approx(0.5));
  CHECK(check.growth("1") == doctest::Approx(1));
  CHECK(check.growth() == doctest::Approx(1));
  CHECK(check.text().find("+0.50") != std::string::npos);
  CHECK_THROWS_WITH_AS(check.size("2", 64, 0), doctest::Contains("no size of '2' at width 64, step 0"), ValueError);
  CHECK_THROWS_WITH_AS(CoordinateCheck().growth(), "CoordinateCheck: 0 widths, expected at least 2", ValueError);
}
