// The gradient noise scale of a run with --accumulate, where it is known.

#include <doctest/doctest.h>

#include <random>
#include <sstream>

#include <nlohmann/json.hpp>

#include <temper/run/run.hpp>

#include "tests/data/files.hpp"
#include "tests/run/scale.hpp"

using namespace temper;
using temper_test::Folder;
using temper_test::Scale;

namespace {

/// Examples around (1, 1, 1, 1) with deviation 2: the gradients of a loss that is their product with the weight. So
/// |G|^2 is 4, tr(S) 16, and the noise scale 4.
struct Noisy {
  std::vector<Tensor> examples;
  Noisy() {
    std::mt19937_64 engine(5);
    std::normal_distribution<float> normal(1.0f, 2.0f);
    for (int i = 0; i < 4000; ++i) {
      examples.push_back(empty({4}));
      for (float& x : examples.back().mutable_values<float>()) x = normal(engine);
    }
  }
  std::int64_t size() const { return static_cast<std::int64_t>(examples.size()); }
  std::array<Tensor, 1> get(std::int64_t i) const { return {examples[static_cast<std::size_t>(i)]}; }
};

std::vector<double> noise_scales(const Folder& folder, std::int64_t accumulate) {
  TrainOptions options;
  options.out = (folder / "run").native();
  options.batch_size = 4;
  options.accumulate = accumulate;
  options.steps = 400;
  options.lr = "0";  // the same gradients at every step
  options.log_every = 100;
  Run run({.name = "noisy", .options = options});
  const Scale model;
  data::Loader loader(Noisy(), run.loader_options());
  const auto optimizer = run.optimizer(model, loader.batches());
  run.train(
      model, *optimizer, loader, [&](const auto& batch) { return mean(std::get<0>(batch) * model.weight) * 4.0f; },
      [] { return Metrics{}; });
  std::vector<double> found;
  std::istringstream lines(Folder::read(folder / "run/metrics.jsonl"));
  for (std::string line; std::getline(lines, line);) {
    const auto json = nlohmann::json::parse(line);
    if (json.contains("noise_scale")) found.push_back(json["noise_scale"]);
  }
  return found;
}

}  // namespace

TEST_CASE("a run that accumulates logs the gradient noise scale, close to its true value") {
  const Folder folder;
  const std::vector<double> found = noise_scales(folder, 8);
  REQUIRE(found.size() == 4);
  // Three deviations of such an estimate, whose averages are over a hundred updates.
  for (const double scale : found) CHECK(scale == doctest::Approx(4).epsilon(0.35));
  CHECK(noise_scales(Folder(), 1).empty());
}
