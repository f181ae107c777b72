#include <temper/run/options.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include <temper/run/optimizer.hpp>

#include "framework/core/format_internal.hpp"

namespace temper {

namespace {

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool read = error == std::errc() && end == text.data() + text.size() && std::isfinite(value);
  return read ? std::optional(value) : std::nullopt;
}

constexpr double max_steps = 0x1p53;  // up to it every whole number is a double

/// The factor of the learning rate after the warm-up, from 1 to the shape's end.
optim::Schedule shape(const std::string& name, Step n) {
  if (name == "linear") return optim::linear_decay(n);
  if (name == "cosine") return optim::cosine(n);
  if (name == "constant") return optim::constant(1.0);
  if (name == "sqrt") return optim::sqrt_decay(n);
  if (name == "inverse-sqrt") return optim::inverse_sqrt(std::max<Step>(n / 10, 1));
  if (name == "wsd") return optim::constant(1.0, n - n / 5).then(optim::sqrt_decay(n / 5));
  std::string names;
  for (const std::string& each : decay_names()) names += (names.empty() ? "" : ", ") + each;
  fail<ValueError>("--decay: there is no '{}'; there are: {}", name, names);
}

}  // namespace

const std::vector<std::string>& decay_names() {
  static const std::vector<std::string> names = {"linear", "cosine", "constant", "sqrt", "inverse-sqrt", "wsd"};
  return names;
}

std::pair<Step, double> TrainOptions::checkpoint_interval() const {
  const bool seconds = checkpoint_every.ends_with('s');
  const auto value = number(std::string_view(checkpoint_every).substr(0, checkpoint_every.size() - (seconds ? 1 : 0)));
  if (!value || *value < (seconds ? 0 : 1) || *value > max_steps || (!seconds && *value != std::floor(*value))) {
    fail<ValueError>("--checkpoint-every: '{}' is neither a number of steps (500) nor of seconds (60s)",
                     checkpoint_every);
  }
  return seconds ? std::pair(Step{0}, *value) : std::pair(static_cast<Step>(*value), 0.0);
}

double TrainOptions::max_seconds() const {
  if (max_time.empty()) return std::numeric_limits<double>::infinity();
  const char unit = max_time.back();
  const double seconds = unit == 's' ? 1 : unit == 'm' ? 60 : unit == 'h' ? 3600 : 0;
  const auto value = number(std::string_view(max_time).substr(0, max_time.size() - 1));
  if (!value || !(*value > 0) || seconds == 0) {
    fail<ValueError>("--max-time: '{}' is no time; expected seconds (90s), minutes (45m) or hours (2h)", max_time);
  }
  return *value * seconds;
}

std::optional<Step> TrainOptions::stop_step(bool main_phase, Step before, Step total) const {
  if (stop_at.empty()) return std::nullopt;
  const bool percent = stop_at.ends_with('%');
  const auto value = number(std::string_view(stop_at).substr(0, stop_at.size() - (percent ? 1 : 0)));
  if (!value || !(*value > 0) || *value > (percent ? 100 : max_steps) || (!percent && *value != std::floor(*value))) {
    fail<ValueError>("--stop-at: '{}' is neither a number of steps (500) nor a part of the run (10%)", stop_at);
  }
  if (!percent) return static_cast<Step>(*value);
  if (!main_phase) return std::nullopt;
  return before + std::max<Step>(1, std::llround(*value / 100 * static_cast<double>(total)));
}

Step TrainOptions::total_steps(std::int64_t batches) const {
  return steps > 0 ? steps : std::max<Step>(1, epochs * batches / pieces());
}

Step TrainOptions::warmup_steps(Step total) const {
  const bool percent = warmup.ends_with('%');
  const auto value = number(std::string_view(warmup).substr(0, warmup.size() - (percent ? 1 : 0)));
  if (!value || *value < 0 || (percent ? *value > 100 : *value != std::floor(*value))) {
    fail<ValueError>("--warmup: '{}' is neither a number of steps (500) nor a percentage (10%)", warmup);
  }
  const double count = percent ? std::floor(*value / 100 * static_cast<double>(total)) : *value;
  if (count > static_cast<double>(total)) {
    fail<ValueError>("--warmup: {} steps, but the run has only {}", warmup, total);
  }
  return static_cast<Step>(count);
}

optim::Schedule TrainOptions::schedule(Step total) const {
  const optim::Schedule rate = optim::parse(lr.empty() ? customary_lr(optimizer) : lr);
  if (!rate.is_number()) return rate;
  const Step warm = warmup_steps(total);
  const optim::Schedule rest = warm < total ? shape(decay, total - warm) : optim::constant(1.0);
  return rate(0) * (warm > 0 ? optim::warmup(warm).then(rest) : rest);
}

}  // namespace temper
