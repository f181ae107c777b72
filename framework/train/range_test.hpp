#pragma once

#include <optional>
#include <string>
#include <vector>

#include <temper/optim/schedule.hpp>

namespace temper {

struct RangeTestOptions {
  double from = 1e-7, to = 10.0;  ///< the first rate and the last
  Step updates = 100;             ///< from the one to the other
  double diverged = 5.0;          ///< the test ends when the averaged loss is so many times the smallest
};

/// A learning-rate range test: the loss over updates whose rate grows by the same factor each time. It only keeps the
/// books; --find-lr runs it for a program on temper::run and puts everything back afterwards.
///
///     RangeTest test;
///     do {
///       optimizer.step() with test.rate()
///     } while (test.add(loss));
///     print("{}", test.text());
///
/// Source: Smith, "Cyclical learning rates for training neural networks" (2017), section 3.3.
class RangeTest {
 public:
  /// Throws: ValueError unless 0 < from < to, there are at least two updates, and `diverged` is above 1.
  explicit RangeTest(const RangeTestOptions& options = {});

  /// The rate of the coming update.
  double rate() const;
  /// Adds the loss of an update, computed before it. False when the test is over: the last rate is reached, the loss
  /// is not finite, or its average (weight 0.05 for the newest, corrected for the beginning) is above
  /// smallest + (diverged - 1) |smallest|, which is `diverged` times the smallest of a positive loss.
  bool add(double loss);
  /// The update cannot be made: the test is over, as after a loss that is not finite.
  void diverge();

  bool diverged() const { return diverged_; }                     ///< whether the loss grew too large, or was not finite
  const std::vector<double>& rates() const { return rates_; }    ///< of the updates so far
  const std::vector<double>& losses() const { return losses_; }  ///< before each of them
  /// The losses, smoothed over neighbours on both sides so that nothing is delayed: by a Gaussian whose deviation is 3
  /// of 100 updates. Losses above the limit at which the test ends count as the limit.
  std::vector<double> smoothed() const;

  /// The rate to train with: a tenth of that at which the smoothed loss is smallest. None when there are fewer than ten
  /// losses, or none is below the first.
  std::optional<double> suggestion() const;
  /// The rate at which the smoothed loss falls fastest. None as suggestion().
  std::optional<double> steepest() const;

  /// A picture for a terminal, and what it says.
  std::string text() const;
  /// The picture as a sample for the report.
  std::string sample() const;

 private:
  std::optional<std::size_t> lowest(const std::vector<double>& smooth) const;
  double limit() const;
  std::string findings() const;

  RangeTestOptions options_;
  std::vector<double> rates_, losses_;
  double average_ = 0, best_ = 0;
  bool diverged_ = false;
};

}  // namespace temper
