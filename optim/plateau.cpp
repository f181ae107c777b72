#include <temper/optim/plateau.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "framework/core/format_internal.hpp"

namespace temper::optim {

namespace {

struct Counters {
  double best;
  std::int64_t waited = 0;
  std::int64_t cooling = 0;
};

/// Parses three numbers separated by blanks, independent of the locale.
bool read(const std::string& note, Counters& counters) {
  const char *at = note.data(), *const end = at + note.size();
  const auto number = [&](auto& value) {
    const auto [next, status] = std::from_chars(at, end, value);
    at = next != end && *next == ' ' ? next + 1 : next;
    return status == std::errc();
  };
  return number(counters.best) && number(counters.waited) && number(counters.cooling) && at == end;
}

/// The smallest positive learning rate of all groups.
double smallest_lr(const Optimizer& optimizer) {
  double smallest = INFINITY;
  for (std::size_t group = 0; group < optimizer.groups().size(); ++group) {
    if (const double lr = optimizer.lr(group); lr > 0.0) smallest = std::min(smallest, lr);
  }
  return smallest;
}

}  // namespace

Plateau::Plateau(Optimizer& optimizer, const PlateauOptions& options, std::string name)
    : optimizer_(optimizer), options_(options), name_(std::move(name)) {
  if (!(options.factor > 0.0 && options.factor < 1.0)) {
    fail<ValueError>("Plateau: factor is {}, expected between 0 and 1", options.factor);
  }
  if (options.patience < 0 || options.cooldown < 0 || !(options.threshold >= 0.0) || !(options.min_lr >= 0.0) ||
      !(options.eps >= 0.0)) {
    fail<ValueError>("Plateau: patience {}, cooldown {}, threshold {}, min_lr {}, eps {}, expected at least 0",
                     options.patience, options.cooldown, options.threshold, options.min_lr, options.eps);
  }
}

bool Plateau::observe(double metric) {
  Counters now{.best = options_.larger_is_better ? -INFINITY : INFINITY};
  const std::string note = optimizer_.note(name_);
  if (!note.empty() && !read(note, now)) {
    fail<ValueError>("Plateau: the note '{}' is '{}', expected three numbers", name_, note);
  }

  double margin = std::isfinite(now.best) ? options_.threshold : 0.0;
  if (options_.mode == Threshold::relative && std::isfinite(now.best)) margin *= std::abs(now.best);
  const bool better = options_.larger_is_better ? metric > now.best + margin : metric < now.best - margin;
  if (better) now.best = metric;
  now.waited = better ? 0 : now.waited + 1;
  if (now.cooling > 0) {
    --now.cooling;
    now.waited = 0;
  }
  bool lowered = false;
  if (now.waited > options_.patience) {
    now.waited = 0;
    now.cooling = options_.cooldown;
    const double lr = smallest_lr(optimizer_), next = std::max(lr * options_.factor, options_.min_lr);
    lowered = std::isfinite(lr) && lr - next > options_.eps;
    if (lowered) {
      const double factor = next == lr * options_.factor ? options_.factor : next / lr;
      optimizer_.scale_lr(factor, fmt::format("{}: no improvement on {}", name_, now.best));
    }
  }
  optimizer_.set_note(name_, fmt::format("{} {} {}", now.best, now.waited, now.cooling));
  return lowered;
}

}  // namespace temper::optim
