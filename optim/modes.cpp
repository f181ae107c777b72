#include <temper/optim/modes.hpp>

#include <cmath>

#include "framework/core/format_internal.hpp"

namespace temper::optim {

std::string variant_text(Rounding rounding, Decay decay) {
  const char* rounded = rounding == Rounding::once           ? "rounded once"
                        : rounding == Rounding::torch_compat ? "rounded as PyTorch"
                                                             : "compensated";
  return fmt::format("{}, {} decay", rounded, decay == Decay::coupled ? "coupled" : "independent");
}

double normalized_decay(double decay, const NormalizedDecayOptions& run) {
  if (!(decay >= 0.0 && run.batch_size > 0.0 && run.samples > 0.0 && run.epochs > 0.0)) {
    fail<ValueError>("normalized_decay: decay {}, batch_size {}, samples {}, epochs {}, expected positive numbers",
                     decay, run.batch_size, run.samples, run.epochs);
  }
  return decay * std::sqrt(run.batch_size / (run.samples * run.epochs));
}

}  // namespace temper::optim
