#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <temper/run/program.hpp>

namespace temper {

/// A parsed command line.
struct Command {
  TrainOptions options;
  std::string config;         ///< the options in effect, as text for config.toml
  std::optional<int> status;  ///< set when the program must end with this status: after --help, or a bad option
};

/// Reads the command line, the file of --config, and with --resume the configuration of the run to be resumed. Prints
/// errors, with a suggestion where an option's name is misspelt; not when `quiet`, as others print the same.
Command read_command(const Program& program, int argc, char** argv, const std::function<void(OwnOptions&)>& own,
                     bool quiet = false);

/// Reads command lines of a program without printing anything or ending it, for a sweep over its options.
class CommandReader {
 public:
  CommandReader(const Program& program, const std::function<void(OwnOptions&)>& own);
  ~CommandReader();
  CommandReader(const CommandReader&) = delete;
  CommandReader& operator=(const CommandReader&) = delete;

  /// Throws: an exception whose text says what is wrong.
  Command read(const std::vector<std::string>& arguments) const;
  /// Whether the option takes whole numbers. Throws: ValueError for a name that is no option of the training.
  bool whole_number(const std::string& name) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace temper
