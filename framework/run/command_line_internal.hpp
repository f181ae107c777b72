#pragma once

#include <functional>
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
/// errors, with a suggestion where an option's name is misspelt.
Command read_command(const Program& program, int argc, char** argv, const std::function<void(OwnOptions&)>& own);

}  // namespace temper
