#include "framework/kernels/ctc.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <temper/core/parallel.hpp>

#include "framework/kernels/scratch_internal.hpp"

namespace temper::kernels {

namespace {

constexpr double impossible = -std::numeric_limits<double>::infinity();

double log_add(double a, double b) {
  const double high = std::max(a, b), low = std::min(a, b);
  return low == impossible ? high : high + std::log1p(std::exp(low - high));
}

/// One example: its target with a blank before and after each label has 2 n + 1 states.
class Example {
 public:
  Example(const Ctc& task, Index number, const float* log_probs)
      : steps(task.input_lengths[number]),
        states(2 * task.target_lengths[number] + 1),
        task_(task),
        target_(task.targets + task.target_begin[number]),
        log_probs_(log_probs + number * task.steps * task.classes) {}

  const Index steps, states;

  Index label(Index state) const { return state % 2 == 0 ? task_.blank : target_[state / 2]; }
  double emitted(Index step, Index state) const {
    return static_cast<double>(log_probs_[step * task_.classes + label(state)]);
  }
  /// Whether a path may pass from the state before the last one to this: over a blank between different labels.
  bool skips_to(Index state) const { return state % 2 == 1 && state > 1 && label(state) != label(state - 2); }

  /// The logarithms of the probabilities of being in each state after a step, from those after the step before.
  void advance(Index step, const double* before, double* after) const {
    for (Index s = 0; s < states; ++s) {
      double sum = step == 0 ? (s < 2 ? 0.0 : impossible) : before[s];
      if (step > 0 && s > 0) sum = log_add(sum, before[s - 1]);
      if (step > 0 && skips_to(s)) sum = log_add(sum, before[s - 2]);
      after[s] = sum + emitted(step, s);
    }
  }

  /// The logarithms of the probabilities of all that follows a step in each state, from those of the step after it.
  void retreat(Index step, const double* after, double* before) const {
    for (Index s = 0; s < states; ++s) {
      if (step + 1 == steps) {
        before[s] = s + 2 >= states ? 0.0 : impossible;
        continue;
      }
      double sum = after[s] + emitted(step + 1, s);
      if (s + 1 < states) sum = log_add(sum, after[s + 1] + emitted(step + 1, s + 1));
      if (s + 2 < states && skips_to(s + 2)) sum = log_add(sum, after[s + 2] + emitted(step + 1, s + 2));
      before[s] = sum;
    }
  }

  /// The logarithm of the probability of the target, from the states after the last step.
  double result(const double* last) const {
    if (steps == 0) return states == 1 ? 0.0 : impossible;
    return states == 1 ? last[0] : log_add(last[states - 1], last[states - 2]);
  }

 private:
  const Ctc& task_;
  const std::int64_t* target_;
  const float* log_probs_;
};

}  // namespace

void ctc(const Ctc& task, const float* log_probs, float* losses) {
  parallel_for(task.batch, 1, [&](Index begin, Index end) {
    for (Index n = begin; n < end; ++n) {
      const Example example(task, n, log_probs);
      const Scratch<double> rows(2 * example.states);
      double *now = rows.data(), *before = rows.row(1, example.states);
      for (Index step = 0; step < example.steps; ++step) {
        std::swap(now, before);
        example.advance(step, before, now);
      }
      losses[n] = static_cast<float>(-example.result(now));
    }
  });
}

void ctc_backward(const Ctc& task, const float* log_probs, const float* scale, float* dx) {
  parallel_for(task.batch, 1, [&](Index begin, Index end) {
    for (Index n = begin; n < end; ++n) {
      const Example example(task, n, log_probs);
      float* const gradient = dx + n * task.steps * task.classes;
      std::fill_n(gradient, task.steps * task.classes, 0.0f);
      const Scratch<double> reached(std::max<Index>(1, example.steps) * example.states), rows(2 * example.states);
      for (Index step = 0; step < example.steps; ++step) {
        example.advance(step, reached.row(std::max<Index>(0, step - 1), example.states),
                        reached.row(step, example.states));
      }
      const double total = example.result(reached.row(std::max<Index>(0, example.steps - 1), example.states));
      if (total == impossible) continue;
      double *now = rows.data(), *after = rows.row(1, example.states);
      for (Index step = example.steps - 1; step >= 0; --step) {
        std::swap(now, after);
        example.retreat(step, after, now);
        for (Index s = 0; s < example.states; ++s) {
          const double share = std::exp(reached.row(step, example.states)[s] + now[s] - total);
          gradient[step * task.classes + example.label(s)] -= static_cast<float>(static_cast<double>(scale[n]) * share);
        }
      }
    }
  });
}

}  // namespace temper::kernels
