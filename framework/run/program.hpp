#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include <temper/run/run.hpp>

namespace temper {

/// Name, defaults and options of a training program. A whole program:
///
///     int main(int argc, char** argv) {
///       double dropout = 0.1;
///       return run_program({.name = "mine", .description = "Trains a network of mine."}, argc, argv,
///           [&](OwnOptions& own) { own.add("--dropout", dropout, "share of the features dropped"); },
///           [&](Run& run) { ... run.train(model, *optimizer, loader, loss, evaluate); });
///     }
struct Program {
  std::string name;                    ///< "resnet": its runs are in runs/resnet
  std::string description;             ///< one sentence for --help
  TrainOptions defaults{};             ///< of the options that all programs share
  std::vector<std::string> without{};  ///< shared options that it does not have: {"--data"}
  std::vector<std::string> only{};     ///< unless empty: the only shared options that it has
  std::vector<std::string> free{};     ///< its own options that may change when a run is resumed
  /// Those of `free` that use a finished run, such as --predict: each means --resume.
  std::vector<std::string> resuming{};
};

/// A program's own options. The initial value of an option's variable is its default.
class OwnOptions {
 public:
  /// A number or a text, which is read into `value`.
  void add(const std::string& name, std::int64_t& value, const std::string& help) { put({name, &value, help}); }
  /// The same.
  void add(const std::string& name, double& value, const std::string& help) { put({name, &value, help}); }
  /// The same.
  void add(const std::string& name, std::string& value, const std::string& help) { put({name, &value, help}); }
  /// A switch, which is set to true when given.
  void flag(const std::string& name, bool& value, const std::string& help) { put({name, &value, help}); }
  /// One of some words.
  void choice(const std::string& name, std::string& value, const std::vector<std::string>& words,
              const std::string& help) {
    put({name, &value, help, words});
  }
  /// A learning rate, as --lr: a number or a schedule.
  void rate(const std::string& name, std::string& value, const std::string& help) {
    put({.name = name, .value = &value, .help = help, .rate = true});
  }

  /// An option as it was added.
  struct Option {
    std::string name;                                                 ///< "--hidden"
    std::variant<std::int64_t*, double*, std::string*, bool*> value;  ///< the variable, which holds the default
    std::string help;                                                 ///< for --help
    std::vector<std::string> words{};                                 ///< unless empty: the allowed values
    bool rate = false;                                                ///< whether it is a number or a schedule
  };
  /// In the order in which they were added.
  const std::vector<Option>& all() const { return options_; }

 private:
  void put(Option option) { options_.push_back(std::move(option)); }

  std::vector<Option> options_;
};

/// The main function of a training program: reads the options, prints info(), calls `train`, writes the report. Returns
/// the exit status: 1 after an exception, of which it prints a line on standard error; 2 for a bad option; 130 after
/// Ctrl-C. With `sweep` as its first argument it runs itself with many values of some options. When it prints how to resume, it calls the program $TEMPER_COMMAND if that is set.
int run_program(const Program& program, int argc, char** argv, const std::function<void(Run&)>& train);
/// The same with options of the program's own.
int run_program(const Program& program, int argc, char** argv, const std::function<void(OwnOptions&)>& own,
                const std::function<void(Run&)>& train);

}  // namespace temper
