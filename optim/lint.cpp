#include <temper/optim/lint.hpp>

#include <algorithm>
#include <cmath>

#include "optim/schedule_internal.hpp"

namespace temper::optim {

namespace {

/// A float does not change when something smaller than this fraction of it (half a unit in the last place) is added.
constexpr double resolution = 0x1p-25;

/// Facts about the learning rate and weight decay of one group over the run.
struct Course {
  double first = 0.0;
  double last = 0.0;
  double peak = 0.0;
  Step peak_at = 0;
  bool warms_up = true;  // whether it never falls before the peak
  double rise = 0.0;     // the largest increase in one step to a new maximum
  Step rise_at = 0;
  Step lost = 0;             // number of steps whose decay is below the resolution
  double lost_decays = 0.0;  // sum of their decays
  double decays = 0.0;       // sum of all decays
  double decay = 1.0;        // the factor of a weight after all decays
};

class Linter {
 public:
  Linter(const Optimizer& optimizer, Step total) : optimizer_(optimizer), total_(total) {
    for (const Hyper& hyper : optimizer.definition().hypers) {
      has_decay_ = has_decay_ || hyper.name == "weight_decay";
      has_momentum_ = has_momentum_ || hyper.name == "momentum";
    }
  }

  LintReport report() {
    for (group_ = 0; group_ < optimizer_.groups().size(); ++group_) {
      const Course course = run();
      result_.decay_factor.push_back(course.decay);
      check_start(course);
      check_length(course);
      check_warmup(course);
      check_decay(course);
      check_schedule_free(course);
    }
    return std::move(result_);
  }

 private:
  const Schedule& lr() const { return optimizer_.schedule("lr", group_); }
  double lr_at(Step k) const { return optimizer_.value("lr", k, group_); }

  Course run() const {
    const Definition& definition = optimizer_.definition();
    Course course;
    if (has_decay_ && definition.decay_rescaled) course.decay = std::nan("");
    bool fell = false;
    double before = 0.0;
    for (Step k = 0; k < total_; ++k) {
      const double rate = lr_at(k);
      if (k == 0) course.first = rate;
      fell = fell || rate < before;
      if (rate > course.peak) {
        // Only jumps to a new maximum count: others are restarts.
        if (k > 0 && rate - before > course.rise) {
          course.rise = rate - before;
          course.rise_at = k;
        }
        course.peak = rate;
        course.peak_at = k;
        course.warms_up = !fell;
      }
      before = course.last = rate;
      if (!has_decay_) continue;
      const double decay =
          optimizer_.value("weight_decay", k, group_) * (definition.decay == Decay::coupled ? rate : 1.0);
      course.decay *= 1.0 - decay;
      // With Rounding::once, a weight of about 1 changes by lr + decay in one rounding; PyTorch's decay is rounded
      // alone.
      const double seen = definition.rounding == Rounding::torch_compat ? decay : rate + decay;
      course.decays += decay;
      if (decay > 0.0 && seen < resolution) {
        ++course.lost;
        course.lost_decays += decay;
      }
    }
    return course;
  }

  template <class... Args>
  void warn(const char* rule, fmt::format_string<Args...> text, Args&&... args) {
    std::string words = fmt::format(text, std::forward<Args>(args)...);
    // Groups that share a schedule share the warning.
    for (const LintWarning& warning : result_.warnings) {
      if (warning.rule == rule && warning.text == words) return;
    }
    result_.warnings.push_back({rule, group_, std::move(words)});
  }

  void check_start(const Course& course) {
    if (course.first == 0.0 && course.peak > 0.0) {
      warn("first lr is 0", "{}: the first update has a learning rate of 0 and is lost; warmup(n) starts with 1/n",
           lr().text());
    }
    const auto& node = detail::ScheduleNode::of(lr());
    const bool scaled = node.form == detail::ScheduleNode::Form::product && node.number != 1.0;
    if (scaled && course.peak < node.number * (1.0 - 1e-9)) {
      warn("peak not reached", "{}: the largest learning rate is {:.4g} at k = {}, never {:.4g}", lr().text(),
           course.peak, course.peak_at, node.number);
    }
    if (course.rise > 0.5 * course.peak * (1.0 + 1e-9)) {
      warn("upward jump", "{}: at k = {} the learning rate jumps from {:.4g} to {:.4g}", lr().text(), course.rise_at,
           lr_at(course.rise_at - 1), lr_at(course.rise_at));
    }
  }

  void check_length(const Course& course) {
    const Step length = lr().length();
    if (length == endless || length == total_) return;
    if (length < total_) {
      if (lr_at(length) >= course.peak * (1.0 - 1e-9)) return;  // a warm-up after which the rate stays constant
      warn("run longer than the schedule",
           "{}: it ends after {} updates; the last {} of {} have a learning rate of {:.4g}", lr().text(), length,
           total_ - length, total_, lr_at(length));
    } else {
      warn("run shorter than the schedule", "{}: it is made for {} updates; after {} the learning rate is {:.4g}",
           lr().text(), length, total_, lr_at(total_));
    }
  }

  void check_warmup(const Course& course) {
    const std::string& second_moment = optimizer_.definition().second_moment;
    const bool warms_up = course.warms_up && course.peak_at > 0 && course.peak_at < total_ / 5;
    if (has_momentum_ && second_moment.empty() && warms_up &&
        optimizer_.schedule("momentum", group_) == Schedule(0.0)) {
      warn("warm-up without momentum",
           "{}: warm-up lets running averages of the gradient settle; SGD without momentum keeps none, and its first "
           "steps are as good as its later ones",
           lr().text());
    }
    if (second_moment.empty()) return;
    const double memory = 1.0 / (1.0 - optimizer_.value(second_moment, 0, group_));
    const auto length = static_cast<double>(course.peak_at + 1);
    if (length < memory && length < 0.05 * static_cast<double>(total_)) {
      warn("short warm-up",
           "{}: the full rate comes after {} updates, before {}'s average over {:.0f} has settled and within the "
           "first 5% of {}; untuned_warmup({}) lasts twice that average",
           lr().text(), course.peak_at + 1, second_moment, memory, total_, optimizer_.value(second_moment, 0, group_));
    }
  }

  void check_schedule_free(const Course& course) {
    if (!optimizer_.definition().evaluates_elsewhere || !(course.last < course.peak * (1.0 - 1e-9))) return;
    warn("schedule with Schedule-Free",
         "{}: it falls from {:.4g} to {:.4g}; the average of the iterates takes the place of a decay, which only holds "
         "it "
         "back: warm up, then stay",
         lr().text(), course.peak, course.last);
  }

  void check_decay(const Course& course) {
    if (course.lost == 0 || optimizer_.definition().rounding == Rounding::compensated) return;
    const double share = 100.0 * static_cast<double>(course.lost) / static_cast<double>(total_);
    const bool torch = optimizer_.definition().rounding == Rounding::torch_compat;
    if (!torch && course.lost_decays < 0.01 * course.decays) return;  // as in the last steps of a cosine
    warn("decay below resolution",
         "{} less than 2^-25 of a weight of 1 in {:.1f}% of the updates, and f32 loses it; {} keeps it",
         torch ? "weight decay changes" : "step and weight decay together change", share,
         torch ? "Rounding::once" : "Rounding::compensated");
  }

  const Optimizer& optimizer_;
  Step total_;
  std::size_t group_ = 0;
  bool has_decay_ = false, has_beta2_ = false, has_momentum_ = false;
  LintReport result_;
};

}  // namespace

std::string LintReport::text() const {
  std::string result;
  for (const LintWarning& warning : warnings) {
    result += fmt::format("warning (group {}): {}: {}\n", warning.group, warning.rule, warning.text);
  }
  for (std::size_t i = 0; i < decay_factor.size(); ++i) {
    if (std::isnan(decay_factor[i])) {
      result += fmt::format("group {}: weight decay is part of the step, what it leaves depends on the gradients\n", i);
    } else {
      result += fmt::format("group {}: weight decay alone leaves {:.4g} of a weight\n", i, decay_factor[i]);
    }
  }
  return result;
}

LintReport lint(const Optimizer& optimizer, Step total) {
  if (total < 1) fail<ValueError>("lint: a run of {} updates, expected at least 1", total);
  return Linter(optimizer, total).report();
}

}  // namespace temper::optim
