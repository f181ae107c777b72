#include "framework/run/command_line_internal.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <new>
#include <numeric>
#include <optional>
#include <type_traits>
#include <variant>

#include <temper/core/parallel.hpp>
#include <temper/run/optimizer.hpp>
#include <temper/train/info.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/run/config_changes_internal.hpp"
#include "framework/run/run_folder_internal.hpp"
#include "framework/train/config_internal.hpp"

namespace temper {

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

constexpr double infinity = std::numeric_limits<double>::infinity();

/// A number in [least, most].
CLI::Validator between(double least, double most = infinity) {
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

/// A number in [0, 1): the decay of a moving average, which with 1 would never change.
const CLI::Validator average_decay(
    [](const std::string& text) {
      double value = 0;
      if (CLI::detail::lexical_cast(text, value) && value >= 0 && value < 1) return std::string();
      return fmt::format("'{}', expected a number from 0 to below 1", text);
    },
    "0..<1");

/// Needed because CLI11 reads -1 as a very large number.
const CLI::Validator whole_number(
    [](const std::string& text) {
      std::uint64_t value = 0;
      const char* const end = text.data() + text.size();
      const auto [stopped, error] = std::from_chars(text.data(), end, value);
      if (error == std::errc() && stopped == end) return std::string();
      return fmt::format("'{}', expected a whole number from 0 to {}", text, std::numeric_limits<std::uint64_t>::max());
    },
    "");

std::string toml(const std::string& value) { return detail::toml_string(value); }
std::string toml(bool value) { return value ? "true" : "false"; }
std::string toml(double value) { return fmt::format("{}", value); }
std::string toml(int value) { return fmt::format("{}", value); }
std::string toml(std::int64_t value) { return fmt::format("{}", value); }
/// TOML's integers are below 2^63; larger ones are written as text.
std::string toml(std::uint64_t value) {
  return value >> 63 == 0 ? fmt::format("{}", value) : fmt::format("\"{}\"", value);
}
std::string toml(const std::optional<double>& value) { return value ? toml(*value) : ""; }

/// A wrong command line: unknown options, or options that contradict each other.
class UsageError : public ValueError {
 public:
  using ValueError::ValueError;
};

/// Levenshtein's distance: the number of insertions, deletions and replacements that turn `a` into `b`.
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

/// The option whose name is most similar; empty when none is similar.
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
  const std::string shown = detail::printable(name);
  if (!name.starts_with("-")) fail<UsageError>("{}'{}' belongs to no option", where, shown);
  const std::string meant = nearest(app, name);
  if (meant.empty()) fail<UsageError>("{}{}: there is no such option; --help lists all", where, shown);
  fail<UsageError>("{}{}: there is no such option; did you mean {}?", where, shown, meant);
}

/// A program's own options, with the initial values of their variables, from which every parse starts.
class Own {
 public:
  explicit Own(const std::function<void(OwnOptions&)>& add) {
    if (add) add(options_);
    for (const OwnOptions::Option& option : options_.all()) {
      std::visit([&](auto* value) { resets_.push_back([value, first = *value] { *value = first; }); }, option.value);
    }
  }
  const std::vector<OwnOptions::Option>& reset() const {
    for (const auto& each : resets_) each();
    return options_.all();
  }

 private:
  OwnOptions options_;
  std::vector<std::function<void()>> resets_;
};

/// A command line, or the arguments from a configuration, parsed once.
class Parser {
 public:
  Parser(const Program& program, const Own& own) : options(program.defaults), app_(program.description, program.name) {
    app_.set_version_flag("--version", info, "Print the versions of Temper and oneDNN and exit");
    app_.option_defaults()->always_capture_default();
    app_.footer("`sweep` in place of the first option trains with many values of some; `sweep --help` says how.");
    add_shared();
    if (!program.only.empty()) {
      for (CLI::Option* option : app_.get_options()) {
        const std::string name = option->get_name();
        if (name != "--help" && name != "--version" && std::ranges::find(program.only, name) == program.only.end()) {
          app_.remove_option(option);
        }
      }
    }
    for (const std::string& name : program.without) app_.remove_option(app_.get_option(name));
    for (const OwnOptions::Option& option : own.reset()) add_own(option);
  }

  /// Throws: CLI::Error for --help and bad values; UsageError.
  void parse(std::vector<std::string> arguments) {
    std::ranges::reverse(arguments);  // CLI11 takes them in reverse order
    try {
      app_.parse(arguments);
    } catch (const CLI::ExtrasError&) {
      fail_unknown(app_, app_.remaining().front(), "");
    }
    if (options.lr.empty()) options.lr = customary_lr(options.optimizer);
    if (!options.momentum && has_momentum(options.optimizer)) options.momentum = customary_momentum(options.optimizer);
  }

  /// The entries of a configuration as arguments, without those that `line` gives. Throws: FileError; UsageError for a
  /// key that is no option.
  std::vector<std::string> arguments_of(const std::string& file, const Parser& line) const {
    const std::string text = detail::read_text(file, 1 << 20);
    const auto entries = detail::with_path(file, [&] { return detail::read_config(text); });
    std::vector<std::string> arguments;
    for (const auto& [key, value] : entries) {
      const std::string name = "--" + key;
      if (!has(name)) fail_unknown(app_, name, detail::printable(file) + ": ");
      if (std::ranges::find(written_, name, &Written::name) == written_.end()) {
        fail<UsageError>("{}: {} belongs on the command line, not into a configuration", detail::printable(file), name);
      }
      if (line.given(name)) continue;
      const bool flag = app_.get_option(name)->get_expected_max() == 0;
      if (flag) {
        arguments.push_back(name + "=" + value);
      } else {
        arguments.insert(arguments.end(), {name, value});
      }
    }
    return arguments;
  }

  /// The options in effect, as a configuration. Throws: UsageError for a text that TOML cannot represent.
  std::string config() const {
    std::string text;
    for (const auto& [name, value, whole] : written_) {
      if (!has(name)) continue;
      try {
        if (const std::string shown = value(); !shown.empty()) text += name.substr(2) + " = " + shown + "\n";
      } catch (const ValueError& error) {
        fail<UsageError>("{}: {}", name, error.what());
      }
    }
    return text;
  }

  /// `called`: what the user typed to start the program
  std::string help(const std::string& called) {
    app_.name(called);
    return app_.help();
  }
  bool has(const std::string& name) const { return app_.get_option_no_throw(name) != nullptr; }
  bool given(const std::string& name) const {
    const CLI::Option* option = app_.get_option_no_throw(name);
    return option != nullptr && option->count() > 0;
  }
  /// Whether an option that belongs to configurations takes whole numbers. Throws: UsageError for any other name.
  bool whole(const std::string& name) const {
    if (!has(name)) fail_unknown(app_, name, "");
    const auto found = std::ranges::find(written_, name, &Written::name);
    if (found == written_.end()) fail<UsageError>("{} is about a start of the program, not about the training", name);
    return found->whole;
  }
  /// The file of --config; empty when it is not given.
  const std::string& file() const { return file_; }

  TrainOptions options;

 private:
  /// An option that is written to configurations.
  struct Written {
    std::string name;
    std::function<std::string()> value;
    bool whole;  // a whole number
  };

  template <class T>
  CLI::Option* add(const std::string& name, T& value, const std::string& help) {
    written_.push_back({name, [&value] { return toml(value); }, std::is_integral_v<T> && !std::is_same_v<T, bool>});
    if constexpr (std::is_same_v<T, bool>) {
      return app_.add_flag(name, value, help);
    } else {
      return app_.add_option(name, value, help);
    }
  }

  void add_shared() {
    TrainOptions& o = options;
    add("--data", o.data, "folder or file of the data; empty: the usual places");
    add("--epochs", o.epochs, "passes over the training data")->check(between(1));
    add("--steps", o.steps, "updates, instead of --epochs")->check(between(0));
    add("--batch-size", o.batch_size, "examples per batch")->check(between(1));
    add("--accumulate", o.accumulate, "batches per update")->check(between(1));
    add("--shards", o.shards, "parts of a batch that the processes share; their number must divide it")
        ->check(between(1));
    add("--optimizer", o.optimizer, "method of the updates")->check(CLI::IsMember(optimizer_names()));
    add("--lr", o.lr,
        "rate reached when warm-up ends, or a schedule: \"3e-4 * warmup(1000).then(cosine(9000))\"; by default "
        "what is customary for the optimizer")
        ->check(CLI::Validator(check_lr, "NUMBER|SCHEDULE"));
    add("--warmup", o.warmup, "linear warm-up: steps (500) or part of the run (10%)")
        ->check(CLI::Validator(check_warmup, "STEPS|PERCENT"));
    add("--decay", o.decay, "shape of the rate after warm-up")->check(CLI::IsMember(decay_names()));
    add("--weight-decay", o.weight_decay, "decoupled decay of weights (not of biases and norm gains)")
        ->check(between(0));
    add("--l2", o.l2, "L2 term in the gradient, for the optimizers whose decay is not decoupled")->check(between(0));
    add("--momentum", o.momentum, "of sgd, sgdw, rmsprop, lars, muon and normuon; by default what is customary")
        ->check(average_decay);
    add("--beta2", o.beta2, "of the Adam family, lamb, lion, muon and normuon; 0: the optimizer's default")
        ->check(average_decay);
    add("--clip-norm", o.clip_norm, "longest gradient; 0: no clipping")->check(between(0));
    add("--ema", o.ema, "average the weights with this decay (0.999), and use the average; 0: do not")
        ->check(average_decay);
    add("--dtype", o.dtype, "of weights and activations; bf16 trains faster, with f32 masters of the weights")
        ->check(CLI::IsMember({"f32", "bf16"}));
    add("--seed", o.seed, "seed of everything random")->check(whole_number);
    add("--threads", o.threads, "threads; 0: all cores")->check(between(0, max_threads()));
    add("--eval-every", o.eval_every, "updates between evaluations; 0: an epoch")->check(between(0));
    add("--checkpoint-every", o.checkpoint_every, "between checkpoints: updates (500) or seconds (60s)");
    add("--log-every", o.log_every, "updates between lines of metrics.jsonl")->check(between(1));
    add("--histograms", o.histograms, "updates between histograms of weights, gradients and activations; 0: none")
        ->check(between(0));
    add("--tensorboard", o.tensorboard, "also write event files, in the folder tensorboard of the run");
    add("--keep", o.keep, "older checkpoints to keep")->check(between(0));
    add("--patience", o.patience, "evaluations without a better one that end the run; 0: none do")->check(between(0));
    add("--min-change", o.min_change, "how much better an evaluation must be to count for --patience")
        ->check(between(0));
    add("--max-time", o.max_time, "ends the run in good order after so much training: 90s, 45m, 2h");
    add("--max-loss", o.max_loss, "a batch's loss beyond it ends the run; 0: only one that is not finite")
        ->check(between(0));
    // Not written to configurations, because they are about this start of the program, not about the training.
    app_.add_option("--out", o.out, "folder of the run");
    app_.add_flag("--resume", o.resume, "go on with the run in the folder");
    app_.add_flag("--overwrite", o.overwrite, "replace the run in the folder");
    app_.add_flag("--dry-run", o.dry_run, "print model, memory and schedule, and stop");
    app_.add_option("--stop-at", o.stop_at,
                    "stop in good order after so many updates (500) or this part of the run (10%); --resume goes on");
    app_.add_flag("--find-lr", o.find_lr,
                  "before training: show the loss over growing learning rates, suggest one, put everything back");
    app_.add_option("--config", file_, "read options from a file, such as the config.toml of a run");
  }

  void add_own(const OwnOptions::Option& option) {
    CLI::Option* added = std::visit([&](auto* value) { return add(option.name, *value, option.help); }, option.value);
    if (!option.words.empty()) added->check(CLI::IsMember(option.words));
    if (option.rate) added->check(CLI::Validator(check_lr, "NUMBER|SCHEDULE"));
  }

  CLI::App app_;
  std::vector<Written> written_;
  std::string file_;
};

/// Throws: UsageError for options that contradict each other. `line` is the command line without the configuration.
void check_contradictions(const Parser& line, const TrainOptions& options) {
  if (line.given("--resume") && line.given("--overwrite")) {
    fail<UsageError>("--resume goes on with a run, --overwrite removes it; give one of them");
  }
  if (line.given("--epochs") && line.given("--steps")) {
    fail<UsageError>("--epochs and --steps both say how long to train; give one of them");
  }
  const bool number = optim::parse(options.lr).is_number();
  for (const char* name : {"--warmup", "--decay"}) {
    if (!number && line.given(name)) {
      fail<UsageError>("{} with --lr '{}': that is a whole schedule already; put the {} into it, or give --lr a number",
                       name, options.lr, name + 2);
    }
  }
  const std::string& method = options.optimizer;
  const bool decoupled = decays_decoupled(method);
  if (decoupled && line.given("--l2")) {
    fail<UsageError>("--l2: {} decays weights apart from the gradient; did you mean --weight-decay?", method);
  }
  if (!decoupled && line.given("--weight-decay")) {
    const bool has_twin = method == "adam" || method == "sgd";
    fail<UsageError>("--weight-decay: {} has no decoupled weight decay; did you mean --l2{}?", method,
                     has_twin ? ", or --optimizer " + method + "w" : "");
  }
  if (line.given("--momentum") && !has_momentum(method)) {
    fail<UsageError>("--momentum: {} has none; it belongs to sgd, sgdw, rmsprop, lars, muon and normuon", method);
  }
  if (line.given("--beta2") && !has_beta2(method)) {
    fail<UsageError>("--beta2: {} has none; it belongs to the Adam family, lamb, lion, muon and normuon", method);
  }
  options.checkpoint_interval();
  options.max_seconds();
  options.stop_step(true, 0, 1);
}

Command read(const Program& program, const std::vector<std::string>& arguments, const Own& own) {
  Parser line(program, own);
  line.parse(arguments);
  for (const std::string& name : program.resuming) line.options.resume = line.options.resume || line.given(name);
  for (const char* other : {"--resume", "--dry-run"}) {
    if (line.given("--find-lr") && line.given(other)) {
      fail<UsageError>("--find-lr looks for a rate before a new run trains; leave {} out, or --find-lr", other);
    }
  }
  std::string folder = line.options.out, file = line.file();
  if (line.options.resume) {
    if (line.given("--config")) {
      fail<UsageError>("--resume reads the run's own configuration; leave --config out, or --resume");
    }
    if (folder.empty()) folder = newest_run(program.name);
    file = folder + "/config.toml";
    if (!std::filesystem::exists(file)) fail<UsageError>("--resume: {} holds no run", folder);
  }
  // Every parse sets the program's own variables, so the one with all options comes last.
  std::string config_before;
  if (line.options.resume) {
    Parser before(program, own);
    before.parse(before.arguments_of(file, Parser(program, Own({}))));
    config_before = before.config();
  }
  Parser whole(program, own);
  std::vector<std::string> all = arguments;
  // --epochs on the command line overrides --steps of a file or of the program's defaults.
  const bool epochs = line.given("--epochs") && !line.given("--steps") && line.has("--steps");
  if (epochs) all.insert(all.end(), {"--steps", "0"});
  if (!file.empty()) {
    std::vector<std::string> from_file = whole.arguments_of(file, line);
    if (const auto steps = std::ranges::find(from_file, "--steps"); epochs && steps != from_file.end()) {
      from_file.erase(steps, steps + 2);
    }
    all.insert(all.end(), from_file.begin(), from_file.end());
  }
  whole.parse(all);
  whole.options.resume = line.options.resume;
  check_contradictions(line, whole.options);
  const std::string config = whole.config();
  if (whole.options.resume) {
    if (const std::string changed = config_changes(config_before, config, program.free); !changed.empty()) {
      fail<UsageError>("--resume goes on as the run began; to train otherwise, start a new one:{}", changed);
    }
    whole.options.out = folder;
  }
  return {.options = whole.options, .config = config, .status = {}};
}

}  // namespace

struct CommandReader::Impl {
  const Program& program;
  Own own;
};

CommandReader::CommandReader(const Program& program, const std::function<void(OwnOptions&)>& own)
    : impl_(new Impl{program, Own(own)}) {}
CommandReader::~CommandReader() = default;

Command CommandReader::read(const std::vector<std::string>& arguments) const {
  return temper::read(impl_->program, arguments, impl_->own);
}

bool CommandReader::whole_number(const std::string& name) const {
  return Parser(impl_->program, impl_->own).whole(name);
}

Command read_command(const Program& program, int argc, char** argv, const std::function<void(OwnOptions&)>& add,
                     bool quiet) {
  const Own own(add);
  const std::string called = std::filesystem::path(argv[0]).filename().native();
  try {
    return read(program, {argv + 1, argv + argc}, own);
  } catch (const CLI::CallForHelp&) {
    const char* how = std::getenv("TEMPER_COMMAND");  // the command line of run.sh
    std::fputs(Parser(program, own).help(how != nullptr ? how : called).c_str(), stdout);
    return {.options = {}, .config = {}, .status = 0};
  } catch (const CLI::CallForVersion& call) {
    std::fprintf(stdout, "%s\n", call.what());
    return {.options = {}, .config = {}, .status = 0};
  } catch (const std::bad_alloc&) {
    throw;                                 // not an error of the command line
  } catch (const std::exception& error) {  // CLI11's, or UsageError
    if (quiet) return {.options = {}, .config = {}, .status = 2};
    std::fprintf(stderr, "%s: %s\n", called.c_str(), error.what());
    return {.options = {}, .config = {}, .status = 2};
  }
}

}  // namespace temper
