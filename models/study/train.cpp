#include <cmath>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "models/common/options.hpp"
#include "models/study/decay.hpp"
#include "models/study/statistics.hpp"
#include "models/study/warmup.hpp"

namespace {

using namespace temper;
using namespace temper::study;

constexpr double high = 10.0;  // times the customary rate

std::string with_spread(const std::vector<double>& values, int digits) {
  return fmt::format("{:.{}f} ± {:.{}f}", mean(values), digits, spread(values), digits);
}

/// Whether a change is to the good, and sure.
std::string verdict(const std::vector<double>& change, double good_sign) {
  if (!(std::abs(mean(change)) > uncertainty(change))) return "no clear difference";
  return good_sign * mean(change) > 0 ? "better" : "worse";
}

std::vector<double> column(std::span<const WarmupRun> runs, double WarmupRun::*field) {
  std::vector<double> values;
  for (const WarmupRun& run : runs) values.push_back(run.*field);
  return values;
}

void show_arm(std::span<const WarmupRun> runs) {
  const WarmupRun& arm = runs.front();
  print("{:<10} {:>6} {:>8}  {:>13} {:>15} {:>17}", arm.optimizer, arm.lr, arm.warmup ? "yes" : "no",
        with_spread(column(runs, &WarmupRun::largest_loss), 2), with_spread(column(runs, &WarmupRun::early_loss), 3),
        with_spread(column(runs, &WarmupRun::accuracy), 4));
}

void show_effects(const std::vector<WarmupRun>& runs) {
  print("\nWhat warm-up changed, paired by seed, with 95% intervals:");
  for (const WarmupEffect& effect : effects(runs)) {
    print("{:<10} {:>6}  early loss {:+.3f} ± {:.3f}: {:<20} accuracy {:+.4f} ± {:.4f}: {}", effect.optimizer,
          effect.lr, mean(effect.early_loss), uncertainty(effect.early_loss), verdict(effect.early_loss, -1.0),
          mean(effect.accuracy), uncertainty(effect.accuracy), verdict(effect.accuracy, 1.0));
  }
}

void run_study(const models::TrainOptions& options) {
  const Scale scale{.batch_size = options.batch_size, .epochs = options.epochs, .first_seed = options.seed};
  const Bench bench(scale,
                    first_images(data::FashionMnist(data::Split::train, {.path = options.data}), scale.images),
                    first_images(data::FashionMnist(data::Split::test, {.path = options.data}), scale.test_images));
  std::filesystem::create_directories(options.out);
  const Step warm = options.warmup_steps(bench.total());
  print("{:<10} {:>6} {:>8}  {:>13} {:>15} {:>17}", "optimizer", "lr", "warm-up", "largest loss", "early loss", "accuracy");
  const auto runs = study_warmup(bench, {sgd(), adam(), adamw()}, high, warm, show_arm);
  show_effects(runs);
  for (const Twins& t : study_decay(bench, 0.01)) print("{:<30} {:<30} {} diff {:.3g} effect {:.3g} ratio {:.3g}", t.first, t.second, t.same_bits, t.difference, t.effect, t.difference / t.effect);
  for (const Kept& k : study_rounding({1e-3, 5e-5, 5e-6, 5e-7, 5e-8}, 0.01)) print("{:g} {:g} {:.4f} {:.4f} {:.4f}", k.lr, k.decay, k.torch_compat, k.once, k.compensated);
}

}  // namespace

int main(int argc, char** argv) {
  temper::models::TrainOptions options;
  options.epochs = 2;
  options.batch_size = 64;
  return temper::models::run_program("study", "Compares optimizers with and without warm-up and weight decay.",
                                     options, argc, argv, run_study);
}
