#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <temper/temper.hpp>

namespace temper::models {

/// What every training program can be told on its command line.
struct TrainOptions {
  int epochs = 5;
  std::int64_t batch_size = 128;
  double lr = 1e-3;            ///< the nominal rate, reached at the end of warm-up
  std::string warmup = "10%";  ///< a number of steps, or a percentage of all steps
  double weight_decay = 0.01;
  double clip_norm = 1.0;  ///< 0 for no clipping
  std::uint64_t seed = 1;
  int threads = 0;   ///< 0 for all cores
  std::string data;  ///< folder of the data set; empty: the usual places
  std::string out;   ///< folder for what the run leaves behind

  /// `warmup` in steps. Throws: ValueError when it is neither a number of steps nor a percentage, or exceeds `total`.
  Step warmup_steps(Step total) const;
};

/// A training program's main: reads the options, prints what runs, calls `train`. An exception becomes one line on
/// standard error and exit status 1, a bad option exit status 2. `without` are options that it does not have.
int run_program(const std::string& model, const std::string& description, TrainOptions defaults, int argc, char** argv,
                void (*train)(const TrainOptions&), const std::vector<std::string>& without = {});

}  // namespace temper::models
