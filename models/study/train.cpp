#include <algorithm>
#include <fstream>

#include <temper/run/program.hpp>

#include "models/study/external.hpp"
#include "models/study/parts.hpp"
#include "models/study/report.hpp"

namespace {

using namespace temper;
using namespace temper::study;

void write(const std::string& file, const std::string& text) {
  if (!(std::ofstream(file) << text).flush()) throw FileError(file + ": cannot be written");
}

/// The options of this program.
struct Options {
  std::string part = "claims";
  bool external = false, quick = false;
  double minutes = 0.0;
};

Bench bench_of(const TrainOptions& options, const Scale& scale) {
  using data::FashionMnist, data::Split;
  return Bench(scale, first_images(FashionMnist(Split::train, {.path = options.data}), scale.images),
               first_images(FashionMnist(Split::test, {.path = options.data}), scale.test_images));
}

/// What all parts print at their end.
void end(const Run& run, const Records& records) {
  if (records.missing() == 0) return;
  print("\ntime is up with {} runs to go: --out {} --resume goes on", records.missing(), run.folder());
}

void run_external(Run& run, const Options& options) {
  Records records(run.folder() + "/external.csv", !run.options().resume,
                  options.minutes > 0.0 ? options.minutes : 60.0);
  const std::string text =
      table(check_external(records, {.share = options.quick ? 0.02 : 1.0, .data = run.options().data}));
  print("{}", text);
  write(run.folder() + "/external.md", text);
  end(run, records);
}

void run_part(Run& run, const Options& options, const NamedPart& part) {
  Scale scale{.images = part.images,
              .batch_size = run.options().batch_size,
              .epochs = part.epochs,
              .first_seed = run.options().seed};
  if (options.quick) {
    scale.epochs = 1;
    scale.images = 3000;
    scale.test_images = 2000;
    scale.seeds = 1;
  }
  const Bench bench = bench_of(run.options(), scale);
  print("A CNN of {} and {} channels, {} images of Fashion-MNIST, {} updates of {}, seeds {} to {}.",
        scale.network.width1, scale.network.width2, scale.images, bench.total(), scale.batch_size, scale.first_seed,
        scale.first_seed + static_cast<std::uint64_t>(scale.seeds) - 1);
  Records records(run.folder() + "/" + part.name + ".csv", !run.options().resume,
                  options.minutes > 0.0 ? options.minutes : 30.0);
  part.study({.bench = bench, .records = records, .folder = run.folder(), .quick = options.quick});
  end(run, records);
}

void run_claims(Run& run) {
  const TrainOptions& options = run.options();
  const Scale scale{.batch_size = options.batch_size, .epochs = options.epochs, .first_seed = options.seed};
  const Bench bench = bench_of(options, scale);
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

void run_study(Run& run, const Options& options) {
  if (options.external) return run_external(run, options);
  for (const NamedPart& part : parts()) {
    if (part.name == options.part) return run_part(run, options, part);
  }
  if (run.options().resume)
    throw ValueError("--resume: the claims are measured in one go; the other parts can be resumed");
  run_claims(run);
}

}  // namespace

int main(int argc, char** argv) {
  // One thread, so that the results do not depend on the number of cores.
  const temper::TrainOptions defaults{.epochs = 2, .batch_size = 64, .threads = 1};
  Options options;
  std::vector<std::string> names = {options.part};
  for (const NamedPart& part : parts()) names.push_back(part.name);
  return temper::run_program(
      {.name = "study",
       .description = "Measures the effects of warm-up and weight decay and compares them with common claims.",
       .defaults = defaults,
       .only = {"--data", "--epochs", "--batch-size", "--warmup", "--seed", "--threads", "--out", "--overwrite",
                "--resume"},
       .free = {"--minutes"}},
      argc, argv,
      [&](OwnOptions& own) {
        own.choice("--part", options.part, names, "what to measure");
        own.flag("--external", options.external, "compare with figures that others published, in place of a part");
        own.flag("--quick", options.quick, "coarser grids and shorter runs, to see what a part prints");
        own.add("--minutes", options.minutes, "begin no run after this time; 0: 30, external 60; --resume goes on");
      },
      [&](Run& run) { run_study(run, options); });
}
