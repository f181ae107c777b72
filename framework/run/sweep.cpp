// PROGRAM sweep: trains with many values of some options. Every run is a process of its own, in a folder of its own, one
// after the other: a run uses all cores, two at once would only take turns, and each figure of speed would be wrong.

#include "framework/run/sweep_internal.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <new>
#include <numeric>

#include <nlohmann/json.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/io/atomic_file_internal.hpp"
#include "framework/run/command_line_internal.hpp"
#include "framework/run/shell_internal.hpp"
#include "framework/run/sweep_folder_internal.hpp"
#include "framework/train/report_internal.hpp"

namespace temper {

namespace fs = std::filesystem;
using namespace sweep;

namespace {

constexpr const char* help = R"(Usage: {0} sweep --try OPTION=VALUES... [--runs N] [options of the program]
       {0} sweep --resume [--out FOLDER]

Trains with many values of some options, drops the worse runs early, and compares them in one table and one report.

  --try OPTION=A,B,C        values of an option; without a range all combinations are tried
  --try OPTION=LOW..HIGH    a range, drawn by --seed; whole numbers where the option takes them
  --try OPTION=LOW..HIGH:log
                            the same, every decade as likely
  --runs N                  how many runs; needed for a range
  --rounds N     [3]        rounds of successive halving; 1: every run trains to the end
  --factor N     [3]        from round to round one of so many runs goes on, so many times as far
  --out FOLDER              folder of the sweep; by default runs/{1}-sweep, numbered if there is one
  --resume                  go on with a sweep that was stopped, however it was
  --dry-run                 print the runs, and stop

All other options are those of the program, for every run: {0} --help lists them.
)";

/// The sweep's own options.
struct Options {
  std::vector<std::string> tries{}, arguments{};
  std::int64_t runs = 0, rounds = 3, factor = 3;
  std::string out{};
  bool resume = false, dry_run = false, help = false;
};

std::int64_t count_of(const std::string& option, const std::string& text, std::int64_t least) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value >= least && value <= 10'000) return value;
  fail<ValueError>("{}: '{}', expected a whole number from {} to 10000", option, detail::printable(text), least);
}

Options read_options(const std::vector<std::string>& arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    const std::string name = word.substr(0, word.find('='));
    const auto value = [&] {
      if (name.size() < word.size()) return word.substr(name.size() + 1);
      if (++i == arguments.size()) fail<ValueError>("{}: expected a value after it", name);
      return arguments[i];
    };
    if (name == "--try") {
      options.tries.push_back(value());
    } else if (name == "--runs") {
      options.runs = count_of(name, value(), 1);
    } else if (name == "--rounds") {
      options.rounds = count_of(name, value(), 1);
    } else if (name == "--factor") {
      options.factor = count_of(name, value(), 2);
    } else if (name == "--out") {
      options.out = value();
    } else if (word == "--resume") {
      options.resume = true;
    } else if (word == "--dry-run") {
      options.dry_run = true;
    } else if (word == "--help" || word == "-h") {
      options.help = true;
    } else if (name == "--overwrite" || name == "--find-lr" || name == "--stop-at") {
      fail<ValueError>("{}: a sweep has no such option; `sweep --help` lists what it has", name);
    } else {
      options.arguments.push_back(word);
    }
  }
  const bool others = !options.tries.empty() || !options.arguments.empty() || options.runs > 0 || options.dry_run;
  if (options.resume && others) {
    fail<ValueError>("--resume goes on with a sweep as it began; expected no other option than --out");
  }
  return options;
}

/// A run's part of its length as --stop-at takes it; empty for all of it.
std::string stop_text(double part) { return part < 1 ? fmt::format("{}%", 100 * part) : std::string(); }

std::vector<std::string> arguments_of(const Sweep& sweep, const Trial& trial) {
  std::vector<std::string> arguments = sweep.arguments;
  for (std::size_t i = 0; i < sweep.tried.size(); ++i) {
    arguments.push_back(fmt::format("--{}={}", sweep.tried[i], trial.values[i]));
  }
  return arguments;
}

std::string values_text(const Sweep& sweep, const Trial& trial) {
  std::string text;
  for (std::size_t i = 0; i < sweep.tried.size(); ++i) {
    text += fmt::format("{}{} {}", i > 0 ? ", " : "", sweep.tried[i], trial.values[i]);
  }
  return text;
}

/// Draws the runs and reads every one's command line, so that whatever is wrong is said before the first begins.
Sweep plan(const Program& program, const Options& options, const CommandReader& reader) {
  Sweep sweep{.program = program.name,
              .arguments = options.arguments,
              .rounds = options.rounds,
              .factor = options.factor};
  std::vector<Tried> tried;
  for (const std::string& text : options.tries) {
    tried.push_back(read_tried(text, [&](const std::string& name) { return reader.whole_number(name); }));
    const std::string& name = tried.back().name;
    for (const std::string& word : options.arguments) {
      if (word.substr(0, word.find('=')) != fmt::format("--{}", name)) continue;
      fail<ValueError>("--try '{}': there is --{}, too, with one value; give one of them", detail::printable(text), name);
    }
    if (std::ranges::find(sweep.tried, name) != sweep.tried.end()) {
      fail<ValueError>("--try '{}': {} is tried already", detail::printable(text), name);
    }
    sweep.tried.push_back(name);
  }
  const std::uint64_t seed = reader.read(options.arguments).options.seed;
  for (auto& values : draw(tried, options.runs, seed)) sweep.trials.push_back({.values = std::move(values)});
  for (const Trial& trial : sweep.trials) {
    std::vector<std::string> arguments = arguments_of(sweep, trial);
    arguments.insert(arguments.end(), {"--out", "x", "--stop-at", "1%"});
    try {
      reader.read(arguments);
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& error) {
      fail<ValueError>("--try: the run with {}: {}", values_text(sweep, trial), error.what());
    }
  }
  return sweep;
}

/// The last line that a program wrote.
std::string last_line(const fs::path& output) {
  const std::string text = detail::read_text(output, std::uint64_t{1} << 30);
  const auto end = text.find_last_not_of(" \n\r");
  if (end == std::string::npos) return "it said nothing";
  const std::string kept = text.substr(0, end + 1);
  return detail::printable(kept.substr(kept.find_last_of("\n\r") + 1));  // npos + 1 is 0
}

class Runner {
 public:
  Runner(const SweepFolder& folder, Sweep& sweep, const std::string& command)
      : folder_(folder), sweep_(sweep), command_(command) {}

  /// Makes all rounds; the exit status when it is stopped, else 0. Throws: ValueError when no run of a round is left.
  int run() {
    forgive();
    const std::vector<Round> rounds =
        rounds_of(std::ssize(sweep_.trials), sweep_.rounds, sweep_.factor);
    for (std::size_t round = 0; round < rounds.size(); ++round) {
      const std::vector<std::size_t> chosen = best_of(round, rounds[round].runs);
      std::size_t done = 0;
      for (const std::size_t index : chosen) {
        ++done;
        const Trial& trial = sweep_.trials[index];
        if (trial.results.size() > round || !trial.failed.empty()) continue;
        if (const int status = advance(index, rounds[round].part); status != 0) return status;
        print("round {}/{}, run {}/{}: {}: {}", round + 1, rounds.size(), done, chosen.size(),
              values_text(sweep_, trial), outcome(trial));
      }
      const auto left = [&](std::size_t i) { return sweep_.trials[i].results.size() > round; };
      if (std::ranges::none_of(chosen, left)) {
        fail<ValueError>("all {} runs of round {} failed; the first: {} ({})", chosen.size(), round + 1,
                         sweep_.trials[chosen[0]].failed, (trial_folder(chosen[0]) / "output.txt").native());
      }
    }
    return 0;
  }

  /// All runs, the best first: those of later rounds before the others, failed ones last.
  std::vector<std::size_t> ranking() const {
    std::vector<std::size_t> order(sweep_.trials.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
      const Trial &first = sweep_.trials[a], &second = sweep_.trials[b];
      if (first.results.size() != second.results.size()) return first.results.size() > second.results.size();
      if (first.results.empty()) return false;
      return better(first.results.back().value, second.results.back().value);
    });
    return order;
  }

  std::string table() const {
    std::vector<std::vector<std::string>> rows = {{"place", "run"}};
    for (const std::string& name : sweep_.tried) rows[0].push_back(name);
    rows[0].insert(rows[0].end(), {"steps", sweep_.metric, "seconds", ""});
    for (const std::size_t index : ranking()) {
      const Trial& trial = sweep_.trials[index];
      std::vector<std::string>& row = rows.emplace_back();
      row = {std::to_string(rows.size() - 1), trial_folder(index).filename().native()};
      row.insert(row.end(), trial.values.begin(), trial.values.end());
      if (trial.results.empty()) {
        row.insert(row.end(), {"", "", ""});
      } else {
        const auto& [step, value, seconds] = trial.results.back();
        row.insert(row.end(), {std::to_string(step), fmt::format("{:.4f}", value), fmt::format("{:.1f}", seconds)});
      }
      row.push_back(trial.failed);
    }
    std::string text;
    std::vector<std::size_t> widths(rows[0].size());
    for (const auto& row : rows) {
      for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    for (const auto& row : rows) {
      std::string line;
      for (std::size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}  ", row[i], widths[i]);
      line.erase(line.find_last_not_of(' ') + 1);
      text += line + "\n";
    }
    return text;
  }

  /// Writes the report, and prints the table and what to do with it.
  void finish() const {
    constexpr std::size_t most_shown = 30;  // a page of more would be too large
    const std::string text = table();
    const std::vector<std::size_t> order = ranking();
    std::vector<std::string> folders;
    for (const std::size_t index : order) {
      if (folders.size() < most_shown && detail::path_exists(trial_folder(index) / "config.toml")) {
        folders.push_back(trial_folder(index).native());
      }
    }
    const std::string report = (folder_.path() / "report.html").native();
    detail::write_titled_report(folders, report, folder_.path().filename().native(), text);
    print("{}", text);
    const Trial& best = sweep_.trials[order[0]];
    std::string again = command_;
    for (const std::string& word : arguments_of(sweep_, best)) again += fmt::format(" {}", shell_quoted(word));
    print("the best run's weights and report are in {}, the report of all in {}", trial_folder(order[0]).native(), report);
    print("to train so again: {}", again);
  }

 private:
  fs::path trial_folder(std::size_t index) const { return folder_.trial(index, sweep_.trials.size()); }

  bool better(double a, double b) const {
    if (std::isnan(a) || std::isnan(b)) return !std::isnan(a) && std::isnan(b);
    return sweep_.larger ? a > b : a < b;
  }

  /// Runs that failed are tried again while none of their round has gone on without them: what was wrong, such as a full
  /// disk, may be over.
  void forgive() {
    std::size_t furthest = 0;
    for (const Trial& trial : sweep_.trials) furthest = std::max(furthest, trial.results.size());
    for (Trial& trial : sweep_.trials) {
      if (furthest <= trial.results.size() + 1) trial.failed.clear();
    }
  }

  /// The runs of a round.
  std::vector<std::size_t> best_of(std::size_t round, std::int64_t count) const {
    std::vector<std::size_t> chosen;
    for (std::size_t i = 0; i < sweep_.trials.size(); ++i) {
      if (sweep_.trials[i].results.size() >= round) chosen.push_back(i);
    }
    if (round == 0) return chosen;
    std::ranges::stable_sort(chosen, [&](std::size_t a, std::size_t b) {
      return better(sweep_.trials[a].results[round - 1].value, sweep_.trials[b].results[round - 1].value);
    });
    if (std::ssize(chosen) > count) chosen.resize(static_cast<std::size_t>(count));
    std::ranges::sort(chosen);
    return chosen;
  }

  /// Trains a run to a part of its length; the exit status when it was asked to stop, else 0.
  int advance(std::size_t index, double part) {
    Trial& trial = sweep_.trials[index];
    const fs::path folder = trial_folder(index), output = folder / "output.txt";
    std::vector<std::string> arguments;
    if (detail::path_exists(folder / "config.toml")) {
      arguments = {"--resume"};
    } else {
      arguments = arguments_of(sweep_, trial);
    }
    arguments.insert(arguments.end(), {"--out", folder.native()});
    if (const std::string stop = stop_text(part); !stop.empty()) {
      arguments.insert(arguments.end(), {"--stop-at", stop});
    }
    detail::make_folders(folder);
    const Ended ended = run_self(arguments, output, stop_);
    if (ended.stopped) {
      print("stopped; to go on: {} sweep --resume --out {}", command_, shell_quoted(folder_.path().native()));
      return ended.status;
    }
    if (ended.status == 0) {
      read_result(trial, folder / "result.json");
    } else {
      trial.failed = ended.status > 128 ? fmt::format("killed by signal {}", ended.status - 128) : last_line(output);
    }
    folder_.save(sweep_);
    return 0;
  }

  void read_result(Trial& trial, const fs::path& file) {
    using Json = nlohmann::ordered_json;
    const Json result = Json::parse(detail::read_text(file, 1 << 20), nullptr, false);
    const bool good = result.is_object() && result.contains("step") && result.contains("metrics");
    if (!good) fail<FileError>("{}: expected the result of a run", detail::printable(file.native()));
    if (result["metrics"].empty()) {
      fail<ValueError>("sweep: {} evaluates nothing and logs no train/loss, so its runs cannot be compared",
                       sweep_.program);
    }
    const Json& metric = result["metrics"][0];
    sweep_.metric = metric["name"];
    sweep_.larger = metric["better"] == "larger";
    trial.results.push_back({result["step"], metric["value"].is_number() ? metric["value"].get<double>() : std::nan(""),
                             result["seconds"]});
    trial.failed.clear();
  }

  std::string outcome(const Trial& trial) const {
    if (!trial.failed.empty()) return fmt::format("failed: {}", trial.failed);
    const auto& [step, value, seconds] = trial.results.back();
    return fmt::format("{} {:.4f} at step {}, {:.1f} s", sweep_.metric, value, step, seconds);
  }

  const SweepFolder& folder_;
  Sweep& sweep_;
  const std::string& command_;
  StopSignal stop_;  // also between two runs
};

void print_plan(const Sweep& sweep) {
  for (const Trial& trial : sweep.trials) print("{}", values_text(sweep, trial));
  for (const Round& round : rounds_of(std::ssize(sweep.trials), sweep.rounds, sweep.factor)) {
    print("{} runs to {:.3g}% of their length", round.runs, 100 * round.part);
  }
}

int sweep_with(const Program& program, const Options& options, Sweep sweep, const std::string& command) {
  std::optional<SweepFolder> folder;
  if (options.resume) {
    folder.emplace(SweepFolder::open(program.name, options.out));
    sweep = folder->load();
    if (sweep.program != program.name) {
      fail<ValueError>("--resume: {} is a sweep of {}, this is {}", detail::printable(folder->path().native()),
                       detail::printable(sweep.program), program.name);
    }
  } else {
    if (options.dry_run) {
      print_plan(sweep);
      return 0;
    }
    folder.emplace(SweepFolder::create(program.name, options.out));
    folder->save(sweep);
  }
  print("{} runs in {}", sweep.trials.size(), folder->path().native());
  Runner runner(*folder, sweep, command);
  if (const int status = runner.run(); status != 0) return status;
  runner.finish();
  return 0;
}

}  // namespace

int run_sweep(const Program& program, const std::vector<std::string>& arguments,
              const std::function<void(OwnOptions&)>& own, const std::string& command, const std::string& called) {
  Options options;
  Sweep planned;
  try {
    options = read_options(arguments);
    if (options.help) {
      std::fputs(fmt::format(fmt::runtime(help), command, program.name).c_str(), stdout);
      return 0;
    }
    if (!options.resume) planned = plan(program, options, CommandReader(program, own));
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", called.c_str(), error.what());
    return 2;
  }
  return sweep_with(program, options, std::move(planned), command);
}

}  // namespace temper
