#include <temper/optim/plateau.hpp>

#include <cmath>
#include <cstdio>

#include "framework/core/format_internal.hpp"

namespace temper::optim {

namespace {

struct Counters {
  double best;
  long long waited = 0;
  long long cooling = 0;
  double product = 1.0;
};

}  // namespace

Plateau::Plateau(Optimizer& optimizer, const PlateauOptions& options, std::string name)
    : optimizer_(optimizer), options_(options), name_(std::move(name)) {
  if (!(options.factor > 0.0 && options.factor < 1.0)) {
    fail<ValueError>("Plateau: factor is {}, expected between 0 and 1", options.factor);
  }
  if (options.patience < 0 || options.cooldown < 0 || !(options.threshold >= 0.0) || !(options.least >= 0.0)) {
    fail<ValueError>("Plateau: patience {}, cooldown {}, threshold {}, least {}, expected at least 0", options.patience,
                     options.cooldown, options.threshold, options.least);
  }
}

bool Plateau::observe(double metric) {
  Counters now{.best = options_.larger_is_better ? -INFINITY : INFINITY};
  const std::string note = optimizer_.note(name_);
  if (!note.empty() &&
      std::sscanf(note.c_str(), "%lf %lld %lld %lf", &now.best, &now.waited, &now.cooling, &now.product) != 4) {
    fail<ValueError>("Plateau: the note '{}' is '{}', expected four numbers", name_, note);
  }

  const double margin = std::isfinite(now.best) ? options_.threshold * std::abs(now.best) : 0.0;
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
    lowered = now.product * options_.factor > options_.least;
    if (lowered) {
      now.product *= options_.factor;
      optimizer_.scale_lr(options_.factor, fmt::format("{}: no improvement on {}", name_, now.best));
    }
  }
  optimizer_.set_note(name_, fmt::format("{} {} {} {}", now.best, now.waited, now.cooling, now.product));
  return lowered;
}

}  // namespace temper::optim
