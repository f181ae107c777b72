#include <algorithm>
#include <fstream>

#include <temper/run/program.hpp>

#include "models/study/report.hpp"

namespace {

using namespace temper;
using namespace temper::study;

void write(const std::string& file, const std::string& text) {
  if (!(std::ofstream(file) << text).flush()) throw FileError(file + ": cannot be written");
}

void run_study(Run& run) {
  const TrainOptions& options = run.options();
  using data::FashionMnist, data::Split;
  const Scale scale{.batch_size = options.batch_size, .epochs = options.epochs, .first_seed = options.seed};
  const Bench bench(scale, first_images(FashionMnist(Split::train, {.path = options.data}), scale.images),
                    first_images(FashionMnist(Split::test, {.path = options.data}), scale.test_images));
  const Step warm = options.warmup_steps(bench.total());
  check_warmup(bench, warm);

  const std::vector<double> noise = noise_updates(1000);
  print_noise_updates(noise);
  print("A CNN of {} and {} channels, {} images of Fashion-MNIST, {} updates of {}, seeds {} to {}.",
        scale.network.width1, scale.network.width2, scale.images, bench.total(), scale.batch_size, scale.first_seed,
        scale.first_seed + static_cast<std::uint64_t>(scale.seeds) - 1);
  print("Warm-up takes {} updates; without it these have the full rate. Then all go linearly to 0.", warm);
  print(
      "Largest loss: of any batch and seed. Early loss: mean of the {} updates after warm-up. Failed: at most one test",
      warm);
  print(
      "image in five is right. Means and standard deviations over the seeds. Three rates: customary, high, too "
      "high.\n");
  print_warmup_header();
  const std::vector<WarmupRun> runs = study_warmup(bench, {sgd(), adam(), adamw()}, warm, print_setting);
  print_warmup_claims(runs);
  const Step few = std::min<Step>(50, bench.total());
  print("The same CNN after {} updates at the customary rate:", few);
  print_decay(study_decay(bench, 0.01, few));
  print_rounding(study_rounding({1e-3, 5e-5, 5e-6, 5e-7, 5e-8}, 0.01));

  print_moments(study_moments(bench, warm));

  write(run.folder() + "/runs.csv", csv(runs));
  for (const Picture& picture : pictures(noise)) write(run.folder() + "/" + picture.name, picture.svg);
  print("\nall runs and the pictures of docs/ are in {}", run.folder());
}

}  // namespace

int main(int argc, char** argv) {
  // One thread, so that the results do not depend on the number of cores.
  const temper::TrainOptions defaults{.epochs = 2, .batch_size = 64, .threads = 1};
  return temper::run_program(
      {.name = "study",
       .description = "Measures the effects of warm-up and weight decay and compares them with common claims.",
       .defaults = defaults,
       .only = {"--data", "--epochs", "--batch-size", "--warmup", "--seed", "--threads", "--out", "--overwrite"}},
      argc, argv, run_study);
}
