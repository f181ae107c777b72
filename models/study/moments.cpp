#include "models/study/moments.hpp"

#include <algorithm>
#include <numeric>

namespace temper::study {

namespace {

template <optim::Moments moments>
std::unique_ptr<optim::Optimizer> narrow_adamw(const std::vector<Parameter>& all, const optim::Schedule& lr,
                                               double decay) {
  return std::make_unique<optim::AdamW>(
      all, optim::AdamWOptions{.lr = lr, .weight_decay = decay, .moments = moments, .seed = 1});
}

}  // namespace

std::vector<MomentsRuns> study_moments(const Bench& bench, Step warm) {
  using optim::Moments;
  Recipe f32 = adamw(), bf16 = f32, bits8 = f32;
  bf16.name = "bf16";
  bf16.make = narrow_adamw<Moments::bf16>;
  bits8.name = "8 bits";
  bits8.make = narrow_adamw<Moments::bits8>;
  f32.name = "f32";

  const Step total = bench.total(), last = std::max<Step>(1, total / 10);
  std::vector<MomentsRuns> result;
  for (const Recipe& recipe : {f32, bf16, bits8}) {
    MomentsRuns runs{.moments = recipe.name, .loss = {}, .accuracy = {}};
    for (int i = 0; i < bench.scale().seeds; ++i) {
      const optim::Schedule lr = recipe.lr * optim::warmup(warm).then(optim::linear_decay(total - warm));
      const std::uint64_t seed = bench.scale().first_seed + static_cast<std::uint64_t>(i);
      const Outcome outcome = bench.train(recipe, lr, recipe.decay, total, seed);
      runs.loss.push_back(std::accumulate(outcome.losses.end() - last, outcome.losses.end(), 0.0) /
                          static_cast<double>(last));
      runs.accuracy.push_back(outcome.accuracy);
    }
    result.push_back(std::move(runs));
  }
  return result;
}

}  // namespace temper::study
