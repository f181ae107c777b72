#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include <temper/run/run.hpp>

namespace temper {

/// What a training program is. A whole one:
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
  TrainOptions defaults{};             ///< of the options all programs share
  std::vector<std::string> without{};  ///< shared options it does not have: {"--data"}
  std::vector<std::string> only{};     ///< if there are any: the only shared options it has
  std::vector<std::string> free{};     ///< its own options that may change when a run goes on
};

/// Options of a program's own, each with its default from the variable it goes to.
class OwnOptions {
 public:
  /// A number or a text, which is read into `value`.
  void add(const std::string& name, std::int64_t& value, const std::string& help) { put({name, &value, help}); }
  /// The same.
  void add(const std::string& name, double& value, const std::string& help) { put({name, &value, help}); }
  /// The same.
  void add(const std::string& name, std::string& value, const std::string& help) { put({name, &value, help}); }
  /// On when given.
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

  /// One of them.
  struct Option {
    std::string name;                                                 ///< "--hidden"
    std::variant<std::int64_t*, double*, std::string*, bool*> value;  ///< as it is when added: the default
    std::string help;                                                 ///< for --help
    std::vector<std::string> words{};                                 ///< if there are any: the only ones allowed
    bool rate = false;                                                ///< whether it is a number or a schedule
  };
  /// In the order in which they were added.
  const std::vector<Option>& all() const { return options_; }

 private:
  void put(Option option) { options_.push_back(std::move(option)); }

  std::vector<Option> options_;
};

/// A training program's main: reads the options, prints what runs, calls `train`, writes the report. Returns the exit
/// status of the program: an exception becomes one line on standard error and 1, a bad option 2, a stop by Ctrl-C 130.
/// $TEMPER_COMMAND is what the program calls itself when it prints how to go on.
int run_program(const Program& program, int argc, char** argv, const std::function<void(Run&)>& train);
/// The same with options of the program's own.
int run_program(const Program& program, int argc, char** argv, const std::function<void(OwnOptions&)>& own,
                const std::function<void(Run&)>& train);

}  // namespace temper
