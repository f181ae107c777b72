#pragma once

// The kernels of the optimizers, once per instruction set, as a table of function pointers. All work on contiguous
// memory and on the calling thread alone. An element's result depends on its inputs and the scalars only: its bits are
// the same wherever it is in the array, on every instruction set and with any number of threads.

#include <cstdint>

#include "framework/kernels/isa.hpp"

namespace temper::optim_kernels {

using Index = std::int64_t;

/// Scalars of one SGD update. With g = scale * gradient + l2 * p:
///   buf = keep * buf + take * g;  d = direct * g + through * buf;  p -= lr * d + decay * p
struct SgdScalars {
  float scale, l2, keep, take, direct, through, lr, decay;
};

/// Arrays of one SGD update; null where the update has none.
struct SgdColumns {
  float* p;
  const float* g;
  float* buf;   // without it, d = g: keep, take, direct and through are ignored
  float* lost;  // rounding errors, for compensated rounding
};

/// Scalars of one Adam update. With g = scale * gradient + l2 * p:
///   m = beta1 * m + rest1 * g;  v = beta2 * v + rest2 * g * g
///   p -= rate * (m / (sqrt(v) * root + eps)) + decay * p
/// root and rate include the bias corrections.
struct AdamScalars {
  float scale, l2, beta1, rest1, beta2, rest2, root, eps, rate, decay;
};

/// Arrays of one Adam update; null where the update has none.
struct AdamColumns {
  float* p;
  const float* g;
  float* m;
  float* v;
  float* v_max;  // AMSGrad
  float* lost;   // rounding errors, for compensated rounding
};

/// Number of elements that share the quantization scales ("units") of their 8-bit moments.
inline constexpr Index narrow_block = 256;

/// Arrays of an Adam update whose moments are stored in 8 or 16 bits with stochastic rounding.
struct NarrowColumns {
  float* p;
  const float* g;
  void* m;         // bf16, or 8-bit codes
  void* v;         // bf16, or 8-bit codes of the square root
  float* m_units;  // with 8 bits: one scale per block
  float* v_units;
  std::uint32_t key;  // seed of the random bits
  Index first;        // index of the first element in the parameter: the counter of its random bits
  bool nesterov;      // NAdam's step: along beta1 * m + rest1 * g instead of m
};

// Scalars of the other optimizers, where g = scale * gradient + l2 * p.

/// m and v as Adam; p -= (rate_m * m + rate_g * g) / (sqrt(v) * root + eps)
struct NAdamScalars {
  float scale, l2, beta1, rest1, beta2, rest2, root, eps, rate_m, rate_g;
};
/// m as Adam; v = max(beta2 * v, |g| + eps);  p -= rate * m / v
struct AdamaxScalars {
  float scale, l2, beta1, rest1, beta2, eps, rate;
};
/// sum += start + g * g;  p -= rate * g / (sqrt(sum) + eps)
struct AdagradScalars {
  float scale, l2, start, eps, rate;
};
/// v = alpha * v + rest * g * g;  buf = momentum * buf + g / (sqrt(v - mean^2) + eps);  p -= lr * buf
struct RmspropScalars {
  float scale, l2, alpha, rest, eps, momentum, lr;
};
struct RmspropColumns {
  float* p;
  const float* g;
  float* v;
  float* mean;  // of g, or null
  float* buf;   // or null
};
/// p -= lr * sign(beta1 * m + rest1 * g) + decay * p;  m = beta2 * m + rest2 * g
struct LionScalars {
  float scale, beta1, rest1, beta2, rest2, lr, decay;
};

/// The step along a direction u computed from the gradient g: p -= lr * u + decay * p.
struct TakeScalars {
  float lr, decay;
  float boost = 1.0f;           // factor of the elements that a cautious step keeps
  bool cautious = false;        // keep only elements of u that have the sign of g
  bool cautious_decay = false;  // decay only where the step shrinks p too
  bool count = false;           // change nothing, and return how many elements of u have the sign of g
};
struct TakeColumns {
  float* p;
  const float* g;
  float* lost;  // rounding errors, for compensated rounding, or null
};

/// m and v as Adam, slow = beta3 * slow + rest3 * g;  u = (per_fast * m + alpha * slow) / (sqrt(v) * root + eps)
struct AdemamixScalars {
  float scale, beta1, rest1, beta2, rest2, beta3, rest3, per_fast, alpha, root, eps;
};
/// x = g / max(sqrt(v), eps), clamped to [-clip, clip];  u = m = beta1 * m + rest1 * x;  v as Adam
struct AdoptScalars {
  float scale, beta1, rest1, beta2, rest2, eps, clip;
};
/// v = rho * v + rest * g * g;  u = sqrt(x + eps) / sqrt(v + eps) * g;  x = rho * x + rest * u * u;  p -= lr * u
struct AdadeltaScalars {
  float scale, l2, rho, rest, eps, lr;
};
/// size = clamp(factor * (size + start), least, most); factor: grow if g kept its sign, shrink if it changed, else 1.
struct RpropScalars {
  float scale, start, shrink, grow, least, most;
};
/// u = g / (sqrt(v) * root + eps) + decay * y;  y += pull * (z - y) + push * u;  z -= lr * u. At first z = y.
struct ScheduleFreeScalars {
  float scale, beta2, rest2, root, eps, decay, pull, push, lr;
  bool first;
};

/// m = beta1 * m + rest1 * g;  v = beta2 * v + rest2 * g * g;  s = beta3 * s + rest3 * g; at first p0 = p
/// p -= rate * m / (sqrt(v) + eps) + decay * p
struct ProdigyScalars {
  float scale, beta1, rest1, beta2, rest2, beta3, rest3, rate, decay;
  bool first;
};
struct ProdigyColumns {
  float* p;
  const float* g;
  float *m, *v, *s, *p0;
};

struct Table {
  // denormals.cpp
  /// From now on this thread reads denormal numbers as zero and rounds denormal results to zero. Returns the mode
  /// before.
  std::uint64_t (*flush_denormals)();
  /// Of this thread.
  void (*set_float_mode)(std::uint64_t mode);

  // sums.cpp
  /// The sum of x[i]^2.
  double (*sum_squares)(const float* x, Index n);
  /// sums[0] = sum (x - before)^2, sums[1] = sum before^2
  void (*change)(const float* x, const float* before, Index n, double* sums);

  // sgd.cpp
  void (*sgd)(const SgdScalars& scalars, const SgdColumns& columns, Index n);
  /// PyTorch's order of operations: p = p * decay - lr * d.
  void (*sgd_torch)(const SgdScalars& scalars, const SgdColumns& columns, Index n);

  // adam.cpp
  void (*adam)(const AdamScalars& scalars, const AdamColumns& columns, Index n);
  /// PyTorch's order of operations: p = p * decay - rate * m / (sqrt(v) / root + eps).
  void (*adam_torch)(const AdamScalars& scalars, const AdamColumns& columns, Index n);

  // adam_narrow.cpp
  void (*adam_bf16)(const AdamScalars& scalars, const NarrowColumns& columns, Index n);
  /// The first element must be the first of a block.
  void (*adam_8bit)(const AdamScalars& scalars, const NarrowColumns& columns, Index n);

  // Updates that can be cautious (see TakeScalars), one file each. They return the count, or 0.
  double (*adam_take)(const AdamScalars& scalars, const TakeScalars& take, bool nesterov, const AdamColumns& columns,
                      Index n);
  double (*sgd_take)(const SgdScalars& scalars, const TakeScalars& take, const SgdColumns& columns, Index n);
  double (*lion_take)(const LionScalars& scalars, const TakeScalars& take, const TakeColumns& columns, float* m,
                      Index n);
  double (*ademamix)(const AdemamixScalars& scalars, const TakeScalars& take, const TakeColumns& columns, float* fast,
                     float* slow, float* square, Index n);
  double (*adopt)(const AdoptScalars& scalars, const TakeScalars& take, const TakeColumns& columns, float* m, float* v,
                  Index n);
  /// v = (scale * g)^2
  void (*adopt_first)(const float* g, float* v, float scale, Index n);

  // One file each.
  void (*adadelta)(const AdadeltaScalars& scalars, float* p, const float* g, float* square, float* delta, Index n);
  void (*rprop)(const RpropScalars& scalars, float* p, const float* g, float* before, float* size, Index n);
  /// v == nullptr: u = g + decay * y.
  void (*schedule_free)(const ScheduleFreeScalars& scalars, float* y, const float* g, float* z, float* v, Index n);
  void (*nadam)(const NAdamScalars& scalars, const AdamColumns& columns, Index n);
  void (*adamax)(const AdamaxScalars& scalars, const AdamColumns& columns, Index n);
  void (*adagrad)(const AdagradScalars& scalars, float* p, const float* g, float* sum, Index n);
  void (*rmsprop)(const RmspropScalars& scalars, const RmspropColumns& columns, Index n);
  void (*lion)(const LionScalars& scalars, float* p, const float* g, float* m, Index n);
  /// Updates the moments; sums[0] = sum p^2, sums[1] = sum change^2, where change is the step of Adam.
  void (*lamb_moments)(const AdamScalars& scalars, const AdamColumns& columns, Index n, double* sums);
  /// p -= trust * change, with the moments that lamb_moments() left.
  void (*lamb_apply)(const AdamScalars& scalars, float trust, const AdamColumns& columns, Index n);

  /// Updates m, v, s; sums[0] = sum g * (p0 - p), sums[1] = sum |s|.
  void (*prodigy_moments)(const ProdigyScalars& scalars, const ProdigyColumns& columns, Index n, double* sums);
  void (*prodigy_apply)(const ProdigyScalars& scalars, float eps, const ProdigyColumns& columns, Index n);

  // muon.cpp
  /// buf = momentum * buf + rest * g;  g = nesterov ? rest * g + momentum * buf : buf
  void (*muon_direction)(float* g, float* buf, float momentum, float rest, bool nesterov, Index n);
  /// y = factor * x; x and y may be the same.
  void (*scale)(const float* x, float factor, float* y, Index n);
  /// x = x_factor * x + y_factor * y
  void (*mix)(float* x, float x_factor, const float* y, float y_factor, Index n);

  // adafactor.cpp
  /// sums += (factor * x)^2
  void (*add_squares)(float* sums, const float* x, float factor, Index n);
  /// x = factor * x * y
  void (*multiply)(float* x, const float* y, float factor, Index n);
  /// g = factor * g;  v = keep * v + rest * (g^2 + eps);  g = g / sqrt(v)
  void (*divide_by_root)(float* g, float* v, float factor, float keep, float rest, float eps, Index n);

  // average.cpp
  /// mean += weight * (p - mean)
  void (*average)(float* mean, const float* p, float weight, Index n);
  /// slow += share * (p - slow);  p = slow
  void (*look_back)(float* slow, float* p, float share, Index n);
  void (*to_bf16)(const float* x, std::uint16_t* y, Index n);
};

/// The kernels in use: those of kernels::isa(), unless use() selected others.
const Table& current();
const Table& table_of(kernels::Isa isa);
/// Selects the kernels that current() returns from now on. For tests.
void use(kernels::Isa isa);

}  // namespace temper::optim_kernels
