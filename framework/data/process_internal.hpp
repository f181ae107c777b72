#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace temper::detail {

struct ProcessOutput {
  bool found = false;  ///< whether there is such a program
  int status = 0;      ///< exit status, or 128 + signal
  std::string out;     ///< what it printed
};

/// Runs a program that is searched for in PATH, without a shell, with no input, and waits until it ends. What it says
/// on standard error is dropped. Throws: FileError when it prints more than `max_bytes`, or the system fails.
ProcessOutput run_process(const std::vector<std::string>& command, std::uint64_t max_bytes);

}  // namespace temper::detail
