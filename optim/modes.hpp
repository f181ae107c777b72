#pragma once

#include <string>

namespace temper::optim {

/// How the update of a parameter is rounded.
enum class Rounding {
  once,          ///< p - (step + decay * p): small decays are not lost
  torch_compat,  ///< PyTorch's order of operations: p * (1 - lr * decay), then the step
  compensated    ///< as `once`, and what the rounding lost is carried on (one more number per element)
};

/// What decoupled weight decay is multiplied with.
enum class Decay {
  coupled,     ///< p -= lr(k) * weight_decay(k) * p, as PyTorch
  independent  ///< p -= weight_decay(k) * p, as the paper: give weight_decay a schedule of its own
};

/// How Adam keeps its two moments. Those in fewer bits are rounded at random, up or down in proportion, because a
/// moment that changes by a thousandth would else never change. Random bits depend on seed, step and element alone.
/// A gradient that is not finite, let in by NonFinite::unchecked, makes its element NaN; with 8 bits the next step then
/// makes NaN of all 256 that share its unit.
enum class Moments {
  f32,
  bf16,  ///< 2 bytes each
  bits8  ///< a byte each, with a unit for every 256 elements
};

/// Both as words, for saved states.
std::string variant_text(Rounding rounding, Decay decay);

struct NormalizedDecayOptions {
  double batch_size = 1.0;
  double samples = 1.0;  ///< in the training set
  double epochs = 1.0;   ///< of the run, or until the next restart
};
/// The weight decay that means the same for runs of different length: decay * sqrt(batch_size / (samples * epochs)).
/// It belongs to Decay::independent, times the shape of the learning rate.
/// Throws: ValueError unless all are positive. Source: Loshchilov, Hutter (2019), section 3 and appendix B.1.
double normalized_decay(double decay, const NormalizedDecayOptions& run);

}  // namespace temper::optim
