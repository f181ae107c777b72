#include "models/study/warmup.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <temper/train/print.hpp>

namespace temper::study {

namespace {

WarmupRun run(const Bench& bench, const Recipe& recipe, double lr, Step warm, bool with, std::uint64_t seed) {
  const optim::Schedule start = with ? optim::warmup(warm) : optim::constant(1.0, warm);
  const Outcome outcome = bench.train(recipe, lr * start.then(optim::linear_decay(bench.total() - warm)), recipe.decay,
                                      bench.total(), seed);
  const auto early = outcome.losses.begin() + warm;
  return {.optimizer = recipe.name,
          .lr = lr,
          .warmup = with,
          .seed = seed,
          .largest_loss = *std::max_element(outcome.losses.begin(), outcome.losses.end()),
          .early_loss = std::accumulate(early, early + warm, 0.0) / static_cast<double>(warm),
          .accuracy = outcome.accuracy};
}

}  // namespace

void check_warmup(const Bench& bench, Step warm) {
  if (warm >= 1 && warm <= bench.total() / 2) return;
  throw ValueError(
      formatted("--warmup: {} of {} updates; the study compares as many after warm-up as it takes, expected 1 to {}",
                warm, bench.total(), bench.total() / 2));
}

std::vector<WarmupRun> study_warmup(const Bench& bench, const std::vector<Recipe>& recipes, Step warm,
                                    const std::function<void(std::span<const WarmupRun>)>& show) {
  check_warmup(bench, warm);
  const Scale& scale = bench.scale();
  std::vector<WarmupRun> runs;
  for (const Recipe& recipe : recipes) {
    for (const double lr : {recipe.lr, recipe.high, recipe.too_high}) {
      for (const bool with : {false, true}) {
        for (int i = 0; i < scale.seeds; ++i) {
          runs.push_back(run(bench, recipe, lr, warm, with, scale.first_seed + static_cast<std::uint64_t>(i)));
        }
        if (show) show(std::span(runs).last(static_cast<std::size_t>(scale.seeds)));
      }
    }
  }
  return runs;
}

std::vector<WarmupEffect> effects(const std::vector<WarmupRun>& runs) {
  std::vector<WarmupEffect> result;
  for (const WarmupRun& with : runs) {
    if (!with.warmup) continue;
    const auto without = std::find_if(runs.begin(), runs.end(), [&](const WarmupRun& other) {
      return !other.warmup && other.optimizer == with.optimizer && other.lr == with.lr && other.seed == with.seed;
    });
    if (result.empty() || result.back().optimizer != with.optimizer || result.back().lr != with.lr) {
      result.push_back({with.optimizer, with.lr, {}, {}});
    }
    WarmupEffect& effect = result.back();
    effect.early_loss.push_back(with.early_loss - without->early_loss);
    effect.accuracy.push_back(with.accuracy - without->accuracy);
    effect.failed_without += without->failed() ? 1 : 0;
    effect.failed_with += with.failed() ? 1 : 0;
  }
  return result;
}

std::vector<double> noise_updates(Step updates, std::int64_t weights) {
  Parameter p(zeros({weights}), Role::weight);
  optim::Adam adam({p}, {.lr = 1.0});
  std::vector<double> sizes;
  for (Step k = 0; k < updates; ++k) {
    const Tensor before = p.value().clone();
    p.set_gradient(normal({weights}));
    adam.step();
    double sum = 0.0;
    for (std::int64_t i = 0; i < weights; ++i) {
      const double moved = double{p.value().data<float>()[i]} - before.data<float>()[i];
      sum += moved * moved;
    }
    sizes.push_back(std::sqrt(sum / static_cast<double>(weights)));
  }
  return sizes;
}

}  // namespace temper::study
