#include <filesystem>
#include <fstream>

#include "models/common/options.hpp"
#include "models/study/report.hpp"

namespace {

using namespace temper;
using namespace temper::study;

void write(const std::string& file, const std::string& text) {
  if (!(std::ofstream(file) << text).flush()) throw FileError(file + ": cannot be written");
}

void run_study(const models::TrainOptions& options) {
  using data::FashionMnist, data::Split;
  const Scale scale{.batch_size = options.batch_size, .epochs = options.epochs, .first_seed = options.seed};
  const Bench bench(scale, first_images(FashionMnist(Split::train, {.path = options.data}), scale.images),
                    first_images(FashionMnist(Split::test, {.path = options.data}), scale.test_images));
  std::filesystem::create_directories(options.out);
  const Step warm = options.warmup_steps(bench.total());

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
  const std::vector<WarmupRun> runs = study_warmup(bench, {sgd(), adam(), adamw()}, warm, print_arm);
  print_warmup_claims(runs);
  print("The same CNN after {} updates at a constant rate:", bench.epoch());
  print_decay(study_decay(bench, 0.01));
  print_rounding(study_rounding({1e-3, 5e-5, 5e-6, 5e-7, 5e-8}, 0.01));

  write(options.out + "/runs.csv", csv(runs));
  for (const Picture& picture : pictures(noise)) write(options.out + "/" + picture.name, picture.svg);
  print("\nall runs and the pictures of docs/ are in {}", options.out);
}

}  // namespace

int main(int argc, char** argv) {
  temper::models::TrainOptions defaults;
  defaults.epochs = 2;
  defaults.batch_size = 64;
  defaults.threads = 1;  // figures do not depend on how many cores there are
  return temper::models::run_program("study", "Measures what warm-up and weight decay do, beside what is claimed.",
                                     defaults, argc, argv, run_study, {"--lr", "--weight-decay", "--clip-norm"});
}
