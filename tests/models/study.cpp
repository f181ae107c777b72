// The study on a few synthetic images.

#include "models/study/report.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "models/study/statistics.hpp"

using namespace temper;
using namespace temper::study;

namespace {

/// Images whose label is the number of their bright stripe.
Images synthetic_images(std::int64_t count) {
  Tensor images = uniform({count, 8, 8, 1}), labels = empty({count}, Dtype::i64);
  for (std::int64_t i = 0; i < count; ++i) {
    labels.mutable_data<std::int64_t>()[i] = i % 4;
    for (std::int64_t x = 0; x < 16; ++x) images.mutable_data<float>()[i * 64 + (i % 4) * 16 + x] += 1.0f;
  }
  return Images(images, labels);
}

Bench tiny() {
  const models::CnnConfig network{.size = 8, .width1 = 2, .width2 = 4, .hidden = 8, .classes = 4};
  const Scale scale{.network = network, .images = 64, .test_images = 32, .batch_size = 8, .epochs = 2, .seeds = 2};
  manual_seed(7);
  return Bench(scale, synthetic_images(scale.images), synthetic_images(scale.test_images));
}

}  // namespace

TEST_CASE("study: a run depends on its seed only") {
  const Bench bench = tiny();
  CHECK(bench.total() == 16);
  const auto losses = [&](std::uint64_t seed) { return bench.train(adamw(), 1e-2, 0.01, 12, seed).losses; };
  CHECK(losses(1).size() == 12);
  CHECK(losses(1) == losses(1));
  CHECK(losses(1) != losses(2));
}

TEST_CASE("a warm-up that leaves no updates to compare is refused before anything is trained") {
  const Bench bench = tiny();
  for (const Step warm : {Step{0}, bench.total() / 2 + 1, bench.total()}) {
    CAPTURE(warm);
    CHECK_THROWS_WITH_AS(study_warmup(bench, {sgd()}, warm), doctest::Contains("expected 1 to"), ValueError);
  }
}

TEST_CASE("study: warm-up is compared seed by seed at every rate") {
  std::size_t shown = 0;
  const auto runs = study_warmup(tiny(), {sgd(), adamw()}, 4, [&](std::span<const WarmupRun> setting) {
    CHECK(setting.size() == 2);
    CHECK(setting[0].seed + 1 == setting[1].seed);
    ++shown;
  });
  CHECK(runs.size() == 2 * 3 * 2 * 2);
  CHECK(shown == 12);
  const auto found = effects(runs);
  REQUIRE(found.size() == 6);
  CHECK(found[5].optimizer == "AdamW");
  CHECK(found[5].lr == adamw().too_high);
  REQUIRE(found[5].accuracy.size() == 2);
  CHECK(found[5].accuracy[1] == runs[23].accuracy - runs[21].accuracy);
  // The first update has the same loss, the later ones do not.
  CHECK(runs[0].early_loss != runs[2].early_loss);
  CHECK(csv(runs).find("AdamW,0.03,1,2,") != std::string::npos);
}

TEST_CASE("study: L2 is decoupled decay for vanilla SGD alone, and without decay there is no difference") {
  const auto comparisons = study_decay(tiny(), 0.05, 12);
  REQUIRE(comparisons.size() == 8);
  for (const DecayComparison& pair : comparisons) {
    CAPTURE(pair.first);
    CAPTURE(pair.second);
    CHECK(pair.same_bits == (pair.decay == 0.0 || pair.first_recipe == exact_sgd));
    if (pair.decay == 0.0) continue;
    CHECK(pair.effect > 0.0);
    if (pair.vanilla()) {
      CHECK(pair.share() < 1e-4);
    } else {
      CHECK(pair.share() > 0.05);
    }
  }
}

TEST_CASE("study: rounding once keeps decay where PyTorch's order loses it") {
  const auto rows = study_rounding({1e-3, 2e-6}, 0.01, 2048);
  CHECK(rows[0].torch_compat == doctest::Approx(1.0).epsilon(0.01));
  CHECK(rows[1].torch_compat == 0.0);
  for (const RoundingResult& row : rows) {
    CHECK(row.once == doctest::Approx(1.0).epsilon(0.05));
    CHECK(row.compensated == doctest::Approx(1.0).epsilon(0.05));
  }
}

TEST_CASE("study: Adam's first update is lr, noise or not") {
  const auto sizes = noise_updates(200);
  CHECK(sizes[0] == doctest::Approx(1.0).epsilon(1e-4));
  CHECK(sizes[199] == doctest::Approx(std::sqrt(0.1 / 1.9)).epsilon(0.05));
}

TEST_CASE("study: a difference counts when every seed shows it") {
  CHECK(mean({1.0, 2.0, 6.0}) == 3.0);
  CHECK(standard_deviation({1.0, 2.0, 6.0}) == doctest::Approx(std::sqrt(7.0)));
  CHECK(standard_deviation({1.0}) == 0.0);
  CHECK(verdict({0.10, 0.50, 0.01}, 1.0) == "better");
  CHECK(verdict({0.10, 0.50, 0.01}, -1.0) == "worse");
  CHECK(verdict({0.1, 0.5, -0.3}, 1.0) == "mixed");
  CHECK(verdict({0.1, 0.0, 0.1}, 1.0) == "mixed");
  CHECK(verdict({0.1, std::nan(""), 0.1}, 1.0) == "mixed");
}

TEST_CASE("study: the pictures are drawn") {
  const auto drawn = pictures({1.0, 0.5, 0.25});
  CHECK(drawn.size() == 3);
  for (const Picture& picture : drawn) CHECK(picture.svg.starts_with("<svg"));
}

TEST_CASE("study: moments in bf16 and 8 bits give other, but nearly equal losses") {
  const auto rows = study_moments(tiny(), 2);
  REQUIRE(rows.size() == 3);
  CHECK(rows[2].moments == "8 bits");
  for (const MomentsRuns& row : rows) {
    REQUIRE(row.loss.size() == 2);
    CHECK(std::abs(row.loss[0] - rows[0].loss[0]) < 0.1);
  }
  CHECK(rows[1].loss[0] != rows[0].loss[0]);
  CHECK(rows[2].loss[0] != rows[0].loss[0]);
}
