#include "models/common/command_line.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>

#include "framework/core/format_internal.hpp"
#include "models/common/optimizer.hpp"

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

std::string check_lr(const std::string& text) {
  try {
    optim::parse(text);
  } catch (const ValueError& error) {
    return error.what();
  }
  return {};
}

void add_shared(CLI::App& app, TrainOptions& options) {
  app.add_option("--data", options.data, "folder or file of the data; empty: the usual places");
  app.add_option("--epochs", options.epochs, "passes over the training data")->check(CLI::PositiveNumber);
  app.add_option("--steps", options.steps, "updates, instead of --epochs")->check(CLI::NonNegativeNumber);
  app.add_option("--batch-size", options.batch_size, "examples per batch")->check(CLI::PositiveNumber);
  app.add_option("--accumulate", options.accumulate, "batches per update")->check(CLI::PositiveNumber);
  app.add_option("--optimizer", options.optimizer, "method of the updates")->check(CLI::IsMember(optimizer_names()));
  app.add_option("--lr", options.lr,
                 "rate reached when warm-up ends, or a schedule: \"3e-4 * warmup(1000).then(cosine(9000))\"")
      ->check(CLI::Validator(check_lr, "NUMBER|SCHEDULE"));
  app.add_option("--warmup", options.warmup, "linear warm-up: steps (500) or part of the run (10%)")
      ->check(CLI::Validator(check_warmup, "STEPS|PERCENT"));
  app.add_option("--decay", options.decay, "shape of the rate after warm-up")->check(CLI::IsMember(decay_names()));
  app.add_option("--weight-decay", options.weight_decay, "decoupled decay of weights (not of biases and norm gains)")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--l2", options.l2, "L2 term in the gradient, for the optimizers whose decay is not decoupled")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--momentum", options.momentum, "of sgd, sgdw, rmsprop")->check(CLI::Range(0.0, 1.0));
  app.add_option("--beta2", options.beta2, "of the Adam family and lion; 0: the optimizer's default")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--clip-norm", options.clip_norm, "longest gradient; 0: no clipping")->check(CLI::NonNegativeNumber);
  app.add_option("--ema", options.ema, "average the weights with this decay (0.999), and use the average; 0: do not")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--seed", options.seed, "seed of everything random");
  app.add_option("--threads", options.threads, "threads; 0: all cores")->check(CLI::NonNegativeNumber);
  app.add_option("--out", options.out, "folder of the run")->configurable(false);
  app.add_flag("--resume", options.resume, "go on with the run in the folder")->configurable(false);
  app.add_flag("--overwrite", options.overwrite, "replace the run in the folder")->configurable(false);
  app.add_option("--eval-every", options.eval_every, "updates between evaluations; 0: an epoch")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--checkpoint-every", options.checkpoint_every, "between checkpoints: updates (500) or seconds (60s)");
  app.add_option("--log-every", options.log_every, "updates between lines of metrics.jsonl")
      ->check(CLI::PositiveNumber);
  app.add_flag("--tensorboard", options.tensorboard, "also write TensorBoard event files");
  app.add_flag("--dry-run", options.dry_run, "print model, memory and schedule, and stop")->configurable(false);
  app.set_config("--config", "", "read options from a file, such as the config.toml of a run")->configurable(false);
  app.allow_config_extras(CLI::config_extras_mode::error);
}

}  // namespace

void OwnOptions::add(const std::string& name, std::int64_t& value, const std::string& help) {
  static_cast<CLI::App*>(app_)->add_option(name, value, help);
}
void OwnOptions::add(const std::string& name, double& value, const std::string& help) {
  static_cast<CLI::App*>(app_)->add_option(name, value, help);
}
void OwnOptions::add(const std::string& name, std::string& value, const std::string& help) {
  static_cast<CLI::App*>(app_)->add_option(name, value, help);
}
void OwnOptions::flag(const std::string& name, bool& value, const std::string& help) {
  static_cast<CLI::App*>(app_)->add_flag(name, value, help);
}
void OwnOptions::choice(const std::string& name, std::string& value, const std::vector<std::string>& words,
                        const std::string& help) {
  static_cast<CLI::App*>(app_)->add_option(name, value, help)->check(CLI::IsMember(words));
}

Command read_command(const Program& program, int argc, char** argv, const std::function<void(OwnOptions&)>& own) {
  Command command{.options = program.defaults, .config = {}, .status = {}};
  CLI::App app(program.description, "temper-" + program.model);
  app.option_defaults()->always_capture_default();
  add_shared(app, command.options);
  if (!program.only.empty()) {
    for (CLI::Option* option : app.get_options()) {
      const std::string name = option->get_name();
      if (name != "--help" && std::ranges::find(program.only, name) == program.only.end()) app.remove_option(option);
    }
  }
  for (const std::string& name : program.without) app.remove_option(app.get_option(name));
  OwnOptions more(&app);
  if (own) own(more);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    command.status = app.exit(error) == 0 ? 0 : 2;
    return command;
  }
  command.config = app.config_to_str(true, true);
  return command;
}

}  // namespace temper::models
