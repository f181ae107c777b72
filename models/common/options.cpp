#include "models/common/options.hpp"

#include <CLI/CLI.hpp>

#include <charconv>
#include <cmath>
#include <cstdio>

#include "framework/core/format_internal.hpp"

namespace temper::models {

namespace {

std::string check_warmup(const std::string& text) {
  try {
    TrainOptions options;
    options.warmup = text;
    options.warmup_steps(Step{1} << 40);
  } catch (const ValueError& error) {
    return error.what();
  }
  return {};
}

}  // namespace

Step TrainOptions::warmup_steps(Step total) const {
  const bool percent = warmup.ends_with('%');
  const std::string number = percent ? warmup.substr(0, warmup.size() - 1) : warmup;
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  const bool read = error == std::errc() && end == number.data() + number.size() && std::isfinite(value) && value >= 0;
  if (!read || (percent ? value > 100 : value != std::floor(value))) {
    fail<ValueError>("--warmup: '{}' is neither a number of steps (500) nor a percentage (10%)", warmup);
  }
  const double steps = percent ? std::floor(value / 100 * static_cast<double>(total)) : value;
  if (steps > static_cast<double>(total)) {
    fail<ValueError>("--warmup: {} steps, but the run has only {}", warmup, total);
  }
  return static_cast<Step>(steps);
}

int run_program(const std::string& model, const std::string& description, TrainOptions options, int argc, char** argv,
                void (*train)(const TrainOptions&), const std::vector<std::string>& without) {
  if (options.out.empty()) options.out = "runs/" + model;
  CLI::App app(description, "temper-" + model);
  app.option_defaults()->always_capture_default();
  app.add_option("--epochs", options.epochs, "passes over the training data")->check(CLI::PositiveNumber);
  app.add_option("--batch-size", options.batch_size, "examples per step")->check(CLI::PositiveNumber);
  app.add_option("--lr", options.lr, "nominal learning rate, reached when warm-up ends")->check(CLI::NonNegativeNumber);
  app.add_option("--warmup", options.warmup, "linear warm-up: steps (500) or part of the run (10%)")
      ->check(CLI::Validator(check_warmup, "STEPS|PERCENT"));
  app.add_option("--weight-decay", options.weight_decay, "decoupled weight decay (AdamW)")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--clip-norm", options.clip_norm, "longest gradient; 0: no clipping")->check(CLI::NonNegativeNumber);
  app.add_option("--seed", options.seed, "seed of everything random");
  app.add_option("--threads", options.threads, "threads; 0: all cores")->check(CLI::NonNegativeNumber);
  app.add_option("--data", options.data, "folder of the data set; empty: the usual places");
  app.add_option("--out", options.out, "folder for what the run leaves behind");
  for (const std::string& name : without) app.remove_option(app.get_option(name));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    if (options.threads > 0) set_threads(options.threads);
    print("{}", info());
    manual_seed(options.seed);
    train(options);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "temper-%s: %s\n", model.c_str(), error.what());
    return 1;
  }
}

}  // namespace temper::models
