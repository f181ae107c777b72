#include "models/common/command_line.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <numeric>
#include <sstream>

#include <temper/core/parallel.hpp>

#include "framework/core/format_internal.hpp"
#include "models/common/optimizer.hpp"
#include "models/common/run_folder.hpp"

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

/// A number in [least, most].
CLI::Validator between(double least, double most = std::numeric_limits<double>::infinity()) {
  const std::string range = std::isinf(most) ? fmt::format(">={}", least) : fmt::format("{}..{}", least, most);
  return CLI::Validator(
      [=](const std::string& text) {
        double value = 0;
        const bool read = CLI::detail::lexical_cast(text, value);
        if (read && value >= least && value <= most) return std::string();
        return fmt::format(
            "'{}', expected a number {}", text,
            std::isinf(most) ? fmt::format("of at least {}", least) : fmt::format("from {} to {}", least, most));
      },
      range);
}

void add_shared(CLI::App& app, TrainOptions& options) {
  app.add_option("--data", options.data, "folder or file of the data; empty: the usual places");
  app.add_option("--epochs", options.epochs, "passes over the training data")->check(between(1));
  app.add_option("--steps", options.steps, "updates, instead of --epochs")->check(between(0));
  app.add_option("--batch-size", options.batch_size, "examples per batch")->check(between(1));
  app.add_option("--accumulate", options.accumulate, "batches per update")->check(between(1));
  app.add_option("--optimizer", options.optimizer, "method of the updates")->check(CLI::IsMember(optimizer_names()));
  app.add_option("--lr", options.lr,
                 "rate reached when warm-up ends, or a schedule: \"3e-4 * warmup(1000).then(cosine(9000))\"")
      ->check(CLI::Validator(check_lr, "NUMBER|SCHEDULE"));
  app.add_option("--warmup", options.warmup, "linear warm-up: steps (500) or part of the run (10%)")
      ->check(CLI::Validator(check_warmup, "STEPS|PERCENT"));
  app.add_option("--decay", options.decay, "shape of the rate after warm-up")->check(CLI::IsMember(decay_names()));
  app.add_option("--weight-decay", options.weight_decay, "decoupled decay of weights (not of biases and norm gains)")
      ->check(between(0));
  app.add_option("--l2", options.l2, "L2 term in the gradient, for the optimizers whose decay is not decoupled")
      ->check(between(0));
  app.add_option("--momentum", options.momentum, "of sgd, sgdw, rmsprop and muon")->check(between(0, 1));
  app.add_option("--beta2", options.beta2, "of the Adam family, lamb, lion and muon; 0: the optimizer's default")
      ->check(between(0, 1));
  app.add_option("--clip-norm", options.clip_norm, "longest gradient; 0: no clipping")->check(between(0));
  app.add_option("--ema", options.ema, "average the weights with this decay (0.999), and use the average; 0: do not")
      ->check(between(0, 1));
  app.add_option("--dtype", options.dtype,
                 "of weights and activations; bf16 trains faster, with f32 masters of the weights")
      ->check(CLI::IsMember({"f32", "bf16"}));
  app.add_option("--seed", options.seed, "seed of everything random");
  app.add_option("--threads", options.threads, "threads; 0: all cores")->check(between(0, max_threads()));
  app.add_option("--out", options.out, "folder of the run")->configurable(false);
  app.add_flag("--resume", options.resume, "go on with the run in the folder")->configurable(false);
  app.add_flag("--overwrite", options.overwrite, "replace the run in the folder")->configurable(false);
  app.add_option("--eval-every", options.eval_every, "updates between evaluations; 0: an epoch")->check(between(0));
  app.add_option("--checkpoint-every", options.checkpoint_every, "between checkpoints: updates (500) or seconds (60s)");
  app.add_option("--log-every", options.log_every, "updates between lines of metrics.jsonl")->check(between(1));
  app.add_flag("--tensorboard", options.tensorboard, "also write event files, in the folder tensorboard of the run");
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

namespace {

/// A command line that means nothing, or two things at once.
class Misunderstood : public ValueError {
 public:
  using ValueError::ValueError;
};

/// Levenshtein's distance: insertions, deletions and replacements that make `b` of `a`.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

/// The option that was probably meant; empty when none is near.
std::string nearest(const CLI::App& app, const std::string& unknown) {
  std::string best;
  std::size_t least = std::max<std::size_t>(3, unknown.size() / 2);
  for (const CLI::Option* option : app.get_options()) {
    const std::size_t found = distance(unknown, option->get_name());
    if (found >= least) continue;
    least = found;
    best = option->get_name();
  }
  return best;
}

[[noreturn]] void fail_unknown(const CLI::App& app, const std::string& unknown, const std::string& where) {
  const std::string name = unknown.substr(0, unknown.find('='));
  if (!name.starts_with("-")) fail<Misunderstood>("{}'{}' belongs to no option", where, name);
  const std::string meant = nearest(app, name);
  if (meant.empty()) fail<Misunderstood>("{}{}: there is no such option; --help lists all", where, name);
  fail<Misunderstood>("{}{}: there is no such option; did you mean {}?", where, name, meant);
}

/// One reading of a command line.
class Reading {
 public:
  Reading(const Program& program, const std::function<void(OwnOptions&)>& own)
      : options(program.defaults), app_(program.description, "temper-" + program.model) {
    app_.option_defaults()->always_capture_default();
    add_shared(app_, options);
    if (!program.only.empty()) {
      for (CLI::Option* option : app_.get_options()) {
        const std::string name = option->get_name();
        if (name != "--help" && std::ranges::find(program.only, name) == program.only.end()) {
          app_.remove_option(option);
        }
      }
    }
    for (const std::string& name : program.without) app_.remove_option(app_.get_option(name));
    OwnOptions more(&app_);
    if (own) own(more);
  }

  /// Throws: CLI::Error for --help and bad values; Misunderstood.
  void parse(std::vector<std::string> arguments) {
    std::ranges::reverse(arguments);  // as CLI11 wants them
    try {
      app_.parse(arguments);
    } catch (const CLI::ExtrasError&) {
      fail_unknown(app_, app_.remaining().front(), "");
    } catch (const CLI::ConfigError& error) {
      const std::string text = error.what();  // "INI was not able to parse NAME"
      fail_unknown(app_, "--" + text.substr(text.rfind(' ') + 1),
                   app_.get_option("--config")->as<std::string>() + ": ");
    }
  }

  std::string help() const { return app_.help(); }
  bool has(const std::string& name) const { return app_.get_option_no_throw(name) != nullptr; }
  bool given(const std::string& name) const {
    const CLI::Option* option = app_.get_option_no_throw(name);
    return option != nullptr && option->count() > 0;
  }
  std::string config() const { return app_.config_to_str(true, true); }

  TrainOptions options;

 private:
  CLI::App app_;
};

/// What cannot be meant together. `line` is what the command line alone says.
void check_contradictions(const Reading& line, const TrainOptions& options) {
  if (line.given("--resume") && line.given("--overwrite")) {
    fail<Misunderstood>("--resume goes on with a run, --overwrite removes it; give one of them");
  }
  if (line.given("--epochs") && line.given("--steps")) {
    fail<Misunderstood>("--epochs and --steps both say how long to train; give one of them");
  }
  const bool number = optim::parse(options.lr).is_number();
  for (const char* name : {"--warmup", "--decay"}) {
    if (!number && line.given(name)) {
      fail<Misunderstood>(
          "{} with --lr '{}': that is a whole schedule already; put the {} into it, or give --lr a number", name,
          options.lr, name + 2);
    }
  }
  const std::string& method = options.optimizer;
  const bool decoupled = decays_decoupled(method);
  if (decoupled && line.given("--l2")) {
    fail<Misunderstood>("--l2: {} decays weights apart from the gradient; did you mean --weight-decay?", method);
  }
  if (!decoupled && line.given("--weight-decay")) {
    const bool has_twin = method == "adam" || method == "sgd";
    fail<Misunderstood>("--weight-decay: {} has no decoupled weight decay; did you mean --l2{}?", method,
                        has_twin ? ", or --optimizer " + method + "w" : "");
  }
  if (line.given("--momentum") && !has_momentum(method)) {
    fail<Misunderstood>("--momentum: {} has none; it belongs to sgd, sgdw, rmsprop and muon", method);
  }
  if (line.given("--beta2") && !has_beta2(method)) {
    fail<Misunderstood>("--beta2: {} has none; it belongs to the Adam family, lamb, lion and muon", method);
  }
  options.checkpoint_interval();
}

/// "name=value" lines of a configuration that differ from those of another.
std::string differences(const std::string& was, const std::string& is, const std::vector<std::string>& own_free) {
  std::istringstream before(was), after(is);
  std::string text;
  for (std::string a, b; std::getline(before, a) && std::getline(after, b);) {
    if (a == b) continue;
    const std::string name = a.substr(0, a.find('='));
    static const std::vector<std::string> free = {"data",      "threads",    "eval-every", "checkpoint-every",
                                                  "log-every", "tensorboard"};
    if (std::ranges::find(free, name) != free.end()) continue;
    if (std::ranges::find(own_free, "--" + name) != own_free.end()) continue;
    text += fmt::format("\n  --{} was {}, now {}", name, a.substr(a.find('=') + 1), b.substr(b.find('=') + 1));
  }
  return text;
}

Command read(const Program& program, std::vector<std::string> arguments, const std::function<void(OwnOptions&)>& own) {
  std::vector<std::string> without_file;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--config")
      ++i;
    else if (!arguments[i].starts_with("--config="))
      without_file.push_back(arguments[i]);
  }
  Reading line(program, own);
  line.parse(without_file);
  std::string folder = line.options.out;
  if (line.options.resume) {
    if (without_file.size() < arguments.size()) {
      fail<Misunderstood>("--resume reads the run's own configuration; leave --config out, or --resume");
    }
    if (folder.empty()) folder = newest_run(program.model);
    const std::string config = folder + "/config.toml";
    if (!std::filesystem::exists(config)) fail<Misunderstood>("--resume: {} holds no run", folder);
    arguments.insert(arguments.end(), {"--config", config});
  }
  // What the command line says about the length counts more than what a file or the program's defaults do.
  if (line.given("--epochs") && !line.given("--steps") && line.has("--steps")) {
    arguments.insert(arguments.end(), {"--steps", "0"});
  }
  // Before what is to be in force: both readings write to the program's own variables.
  std::string began;
  if (line.options.resume) {
    Reading before(program, own);
    before.parse({"--config", folder + "/config.toml"});
    began = before.config();
  }
  Reading whole(program, own);
  whole.parse(arguments);
  check_contradictions(line, whole.options);
  if (whole.options.resume) {
    if (const std::string changed = differences(began, whole.config(), program.free); !changed.empty()) {
      fail<Misunderstood>("--resume goes on as the run began; to train otherwise, start a new one:{}", changed);
    }
    whole.options.out = folder;
  }
  return {.options = whole.options, .config = whole.config(), .status = {}};
}

}  // namespace

Command read_command(const Program& program, int argc, char** argv, const std::function<void(OwnOptions&)>& own) {
  try {
    return read(program, {argv + 1, argv + argc}, own);
  } catch (const CLI::CallForHelp&) {
    std::fputs(Reading(program, own).help().c_str(), stdout);
    return {.options = {}, .config = {}, .status = 0};
  } catch (const std::exception& error) {  // CLI11's, or Misunderstood
    std::fprintf(stderr, "temper-%s: %s\n", program.model.c_str(), error.what());
    return {.options = {}, .config = {}, .status = 2};
  }
}

}  // namespace temper::models
