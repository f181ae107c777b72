// The parts of the study that can be stopped and resumed, on a few synthetic images.

#include "models/study/parts.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>

#include "models/study/documented.hpp"
#include "models/study/external.hpp"
#include "models/study/heatmap.hpp"
#include "tests/data/files.hpp"

using namespace temper;
using namespace temper::study;
using temper_test::Folder;

namespace {

Bench tiny() {
  const models::CnnConfig network{.size = 8, .width1 = 2, .width2 = 4, .hidden = 8, .classes = 10};
  const Scale scale{.network = network, .images = 200, .test_images = 50, .batch_size = 8, .epochs = 1, .seeds = 2};
  manual_seed(7);
  const auto images = [](std::int64_t count) {
    Tensor pixels = uniform({count, 8, 8, 1}), labels = empty({count}, Dtype::i64);
    for (std::int64_t i = 0; i < count; ++i) {
      labels.mutable_data<std::int64_t>()[i] = i % 10;
      pixels.mutable_data<float>()[i * 64 + i % 10 * 6] += 2.0f;
    }
    return Images(pixels, labels);
  };
  return Bench(scale, images(scale.images), images(scale.test_images));
}

}  // namespace

TEST_CASE("study: runs that are in the records are not made again") {
  const Folder folder;
  const std::string file = (folder / "records.csv").native();
  int made = 0;
  const auto make = [&made] {
    ++made;
    return Records::Figures{0.1, std::nan(""), 1e300};
  };
  {
    Records records(file, true, 1.0);
    CHECK(records.get("a, b", make)->at(0) == 0.1);
    records.get("c", make);
    records.get("c", make);
  }
  CHECK(made == 2);
  // A program that was killed while it wrote leaves a line without its end.
  std::ofstream(file, std::ios::app) << "d;1.2";
  Records resumed(file, false, 1.0);
  const auto again = resumed.get("a, b", make);
  REQUIRE(again->size() == 3);
  CHECK((again->at(0) == 0.1 && std::isnan(again->at(1)) && again->at(2) == 1e300));
  CHECK(made == 2);
  CHECK(resumed.get("d", make)->size() == 3);
  CHECK(made == 3);
  CHECK(Records(file, false, 1.0).get("d", make)->size() == 3);
  CHECK(made == 3);
  Records late(file, false, 0.0);
  CHECK(late.get("c", make).has_value());
  CHECK_FALSE(late.get("e", make).has_value());
  CHECK(late.missing() == 1);
  for (const char* wrong : {"no record\n", "a;1.5x\n", "a;\n"}) {
    CAPTURE(wrong);
    std::ofstream(file) << wrong;
    CHECK_THROWS_WITH_AS(Records(file, false, 1.0), doctest::Contains("' is no record"), ValueError);
  }
  std::ofstream(file) << "no record\n";
  CHECK_THROWS_WITH_AS(Records(file, false, 1.0), doctest::Contains("'no record' is no record"), ValueError);
}

TEST_CASE("study: every part prints, keeps its runs and draws its pictures") {
  const Bench bench = tiny();
  for (const NamedPart& part : parts()) {
    CAPTURE(part.name);
    const Folder folder;
    const std::string file = (folder / "records.csv").native();
    const auto run = [&](bool anew) {
      Records records(file, anew, 1.0);
      part.study({.bench = bench, .records = records, .folder = folder.path().native(), .quick = true});
      CHECK(records.missing() == 0);
    };
    run(true);
    const std::string kept = Folder::read(file);
    CHECK(kept.size() > 100);
    run(false);
    CHECK(Folder::read(file) == kept);
  }
}

TEST_CASE("study: sharpness is the largest eigenvalue, also where a negative one is larger in magnitude") {
  // Softmax of two logits that are equal: the Hessian by a logit is [[1, -1], [-1, 1]] / 4, that by weight and bias
  // this times (x, 1) (x, 1)', with the eigenvalue (x^2 + 1) / 2.
  nn::Sequential one(nn::Flatten(), nn::Linear(1, 2));
  for (Parameter parameter : one.parameters()) parameter.set_value(zeros(parameter.shape()));
  const Tensor image = full({1, 1, 1, 1}, 2.0f), label = zeros({1}, Dtype::i64);
  CHECK(sharpness(one, image, label, 20) == doctest::Approx(2.5).epsilon(1e-3));
  CHECK(one.parameters()[0].value().values<float>()[0] == 0.0f);
  // Without biases, and with u x and w u x for logits: at u = w = 0 only u and w mix, with eigenvalues +-(x / 2)
  // sqrt(2).
  nn::Sequential two(nn::Flatten(), nn::Linear(1, 1, {.bias = false}), nn::Linear(1, 2, {.bias = false}));
  for (Parameter parameter : two.parameters()) parameter.set_value(full(parameter.shape(), 1e-3f));
  CHECK(sharpness(two, image, label, 50) == doctest::Approx(std::sqrt(2.0)).epsilon(2e-2));
}

TEST_CASE("study: the first batches are those that were given") {
  const Bench bench = tiny();
  std::vector<Step> seen;
  const Extras extras{.first_batches = {{0, 10, 20}},
                      .look = [&](const Moment& moment) { seen.push_back(moment.updates); }};
  const Outcome with = bench.train(sgd(), 0.01, 0.0, 3, 1, extras), without = bench.train(sgd(), 0.01, 0.0, 3, 1);
  CHECK(seen == std::vector<Step>{0, 1, 2, 3});
  CHECK(with.losses.size() == 3);
  CHECK(with.losses[0] != without.losses[0]);
}

TEST_CASE("study: decay by the paper follows the schedule and not the rate") {
  const Bench bench = tiny();
  const optim::Schedule shape = optim::linear_decay(10);
  // Gradients of a rate near 0 move nothing, so what is left is the decay of ten updates.
  for (const double lr : {1e-12, 1e-10}) {
    const Outcome run = bench.train(independent_adamw(), lr * shape, 0.1, 10, 3);
    const Outcome none = bench.train(independent_adamw(), lr * shape, 0.0, 10, 3);
    double factor = 1.0;
    for (Step k = 0; k < 10; ++k) factor *= 1.0 - 0.1 * shape(k);
    const float a = run.parameters[0].value().values<float>()[0], b = none.parameters[0].value().values<float>()[0];
    CHECK(double{a} / double{b} == doctest::Approx(factor).epsilon(1e-5));
  }
}

TEST_CASE("study: quadratic_deep is DeepOBS's problem") {
  const QuadraticDeep problem;
  CHECK(problem.test_loss(ones({100})) == doctest::Approx(353.4468).epsilon(1e-6));
}

TEST_CASE("study: documented examples of optax and PyTorch") {
  for (const Comparison& row : check_documented()) {
    CAPTURE(row.what);
    CAPTURE(row.ours);
    CAPTURE(row.published);
    CHECK(row.verdict == "holds");
  }
}

TEST_CASE("study: heat maps have a cell for each value") {
  const std::string picture = svg({.title = "t",
                                   .columns = "x",
                                   .rows = "y",
                                   .low = 0.0,
                                   .high = 1.0,
                                   .maps = {{.title = "a",
                                             .columns = {"1", "2"},
                                             .rows = {"3"},
                                             .values = {0.25, std::nan("")},
                                             .marked = {true, false}}}});
  CHECK(picture.starts_with("<svg"));
  CHECK(picture.find(">0.25<") != std::string::npos);
  CHECK(picture.find("#bbbbbb") != std::string::npos);
  CHECK(picture.find("stroke=\"black\"") != std::string::npos);
}

TEST_CASE("study: correlation") {
  CHECK(correlation({1, 2, 3}, {2, 4, 6}) == doctest::Approx(1.0));
  CHECK(correlation({1, 2, 3}, {3, 2, 1}) == doctest::Approx(-1.0));
  CHECK(correlation({1, 2, 3}, {1, 1, 1}) == 0.0);
}
