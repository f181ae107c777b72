#pragma once

#include <string>

namespace temper::optim {

/// How the update of a parameter is rounded.
enum class Rounding {
  once,          ///< p - (step + decay * p), rounded once: small decays are not lost
  torch_compat,  ///< PyTorch's order of operations: p * (1 - lr * decay), then the step
  compensated    ///< as `once`, and the rounding error is added to the next update (one more f32 per element)
};

/// What decoupled weight decay is multiplied by.
enum class Decay {
  coupled,     ///< p -= lr(k) * weight_decay(k) * p, as in PyTorch
  independent  ///< p -= weight_decay(k) * p, as in the paper: give weight_decay a schedule of its own
};

/// How Adam stores its two moments. With fewer bits they are rounded stochastically, because rounding to nearest would
/// drop every change of less than half a step. The random bits depend on seed, step and element alone.
/// A gradient that is not finite, admitted by NonFinite::unchecked, makes its element NaN; with 8 bits the next step
/// then makes all 256 elements of its block NaN.
enum class Moments {
  f32,
  bf16,  ///< 2 bytes each
  bits8  ///< one byte per element, with an f32 scale for every 256 elements
};

/// What a step does to the rows of a sparse parameter (Parameter::make_sparse) that it has no gradient for.
enum class Rows {
  lazy,  ///< nothing: weights, decay, moments and their bias correction wait for the row's next gradient
  exact  ///< what a gradient of 0 does, as if the parameter were not sparse; put off until the row is read or updated
};

/// Both modes as text, for saved states.
std::string variant_text(Rounding rounding, Decay decay);

struct NormalizedDecayOptions {
  double batch_size = 1.0;
  double samples = 1.0;  ///< number of examples in the training set
  double epochs = 1.0;   ///< of the run, or until the next restart
};
/// A weight decay that has a similar effect in runs of different length: decay * sqrt(batch_size / (samples * epochs)).
/// For Decay::independent, multiplied by the shape of the learning rate's schedule.
/// Throws: ValueError unless all are positive. Source: Loshchilov, Hutter (2019), section 3 and appendix B.1.
double normalized_decay(double decay, const NormalizedDecayOptions& run);

}  // namespace temper::optim
