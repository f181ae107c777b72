#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <temper/run/program.hpp>

namespace temper {

/// What a command line says.
struct Command {
  TrainOptions options;
  std::string config;         ///< the options in force, as --config reads them
  std::optional<int> status;  ///< set when the program is to end at once: --help, a bad option
};

/// Reads the command line, the files named by --config, and with --resume the configuration of the run to be resumed.
/// What is wrong is printed, with what may have been meant.
Command read_command(const Program& program, int argc, char** argv, const std::function<void(OwnOptions&)>& own);

}  // namespace temper
