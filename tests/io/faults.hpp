#pragma once

#include <string>
#include <vector>

namespace temper_test {

enum class Fault { none, error, interrupted, shortened, killed };

/// From here on, the calls of this program that change files (open, ftruncate, write, fsync, rename, close, unlink) are
/// recorded by name, and call number `at` fails in this way. `number` is the errno of an error.
void watch_calls(Fault fault = Fault::none, int at = -1, int number = 0);
/// Ends the recording and returns the calls.
std::vector<std::string> watched_calls();

/// The exit status of a killed program.
inline constexpr int killed_status = 77;

}  // namespace temper_test
