#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <temper/run/program.hpp>

namespace temper {

/// `PROGRAM sweep ARGUMENTS`: trains with many values of some options and compares. Returns the exit status.
/// `command` starts the program, `called` begins its messages.
int run_sweep(const Program& program, const std::vector<std::string>& arguments,
              const std::function<void(OwnOptions&)>& own, const std::string& command, const std::string& called);

namespace sweep {

/// The values of an option to be tried: --try NAME=1,2,3 or NAME=LOW..HIGH or NAME=LOW..HIGH:log.
struct Tried {
  std::string name;                   ///< without dashes
  std::vector<std::string> values{};  ///< empty: a range
  double low = 0, high = 0;
  bool log = false;    ///< drawn so that each decade is as likely
  bool whole = false;  ///< whole numbers, the ends included
};

/// Reads the text after --try. `whole` tells whether an option takes whole numbers. Throws: ValueError that names the
/// option and what was expected.
Tried read_tried(const std::string& text, const std::function<bool(const std::string& option)>& whole);

/// The values of each run, in the order of `tried`. Lists alone give all combinations, or `runs` of them; with a range,
/// `runs` points, one of each of `runs` equal parts of every range, and each value of a list equally often (a Latin
/// hypercube), drawn by the seed. `runs` 0: not given. Throws: ValueError when it is needed.
/// Source: McKay, Beckman, Conover, "A comparison of three methods for selecting values of input variables in the
/// analysis of output from a computer code" (1979).
std::vector<std::vector<std::string>> draw(const std::vector<Tried>& tried, std::int64_t runs, std::uint64_t seed);

/// A round of successive halving: so many runs go on to this part of their length.
struct Round {
  std::int64_t runs;
  double part;
};

/// Each round has 1/factor of the runs of the one before, and makes them `factor` times as long; the last trains to the
/// end. Fewer rounds when there are too few runs.
/// Source: Jamieson, Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization" (2016).
std::vector<Round> rounds_of(std::int64_t runs, std::int64_t rounds, std::int64_t factor);

}  // namespace sweep

}  // namespace temper
