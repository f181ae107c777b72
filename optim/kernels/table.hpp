#pragma once

// The kernels of the optimizers, once per instruction set, as a table of function pointers. All work on contiguous
// memory and on the calling thread alone. An element's new bits depend on its old ones and the scalars, on nothing
// else: not on its position, the chunk it is in, the instruction set or the threads.

#include <cstdint>

#include "framework/kernels/isa.hpp"

namespace temper::optim_kernels {

using Index = std::int64_t;

/// Scalars of one SGD update. With g = scale * gradient + l2 * p:
///   buf = keep * buf + take * g;  d = direct * g + through * buf;  p -= lr * d + decay * p
struct SgdScalars {
  float scale, l2, keep, take, direct, through, lr, decay;
};

/// Columns of memory of one SGD update; those that are null are not used.
struct SgdColumns {
  float* p;
  const float* g;
  float* buf;   // without it keep, take, direct and through do not matter
  float* lost;  // compensated rounding
};

/// Scalars of one Adam update. With g = scale * gradient + l2 * p:
///   m = beta1 * m + rest1 * g;  v = beta2 * v + rest2 * g * g
///   p -= rate * (m / (sqrt(v) * root + eps)) + decay * p
/// root and rate hold the bias corrections.
struct AdamScalars {
  float scale, l2, beta1, rest1, beta2, rest2, root, eps, rate, decay;
};

/// Columns of memory of one Adam update; those that are null are not used.
struct AdamColumns {
  float* p;
  const float* g;
  float* m;
  float* v;
  float* v_max;  // AMSGrad
  float* lost;   // compensated rounding
};

/// Elements that share the units of 8-bit moments.
inline constexpr Index narrow_block = 256;

/// Columns of an Adam update whose moments are kept in fewer bits, rounded at random.
struct NarrowColumns {
  float* p;
  const float* g;
  void* m;         // bf16, or codes of 8 bits
  void* v;         // bf16, or codes of 8 bits of the root
  float* m_units;  // 8 bits: one per block
  float* v_units;
  std::uint32_t key;  // of the random bits
  Index first;        // number of the first element: what the random bits are counted by
  bool nesterov;      // step by the moment of the next update, as far as it is known
};

// Scalars of the others. Always g = scale * gradient + l2 * p first.

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

/// How p takes a direction u made of the gradient g: p -= lr * u + decay * p.
struct TakeScalars {
  float lr, decay;
  float boost = 1.0f;           // of the elements that a cautious step keeps
  bool cautious = false;        // keep only elements of u that have the sign of g
  bool cautious_decay = false;  // decay only where the step shrinks p too
  bool count = false;           // change nothing, and return how many elements of u have the sign of g
};
struct TakeColumns {
  float* p;
  const float* g;
  float* lost;  // compensated rounding, or null
};

/// m and v as Adam, slow = beta3 * slow + rest3 * g;  u = (per_fast * m + alpha * slow) / (sqrt(v) * root + eps)
struct AdemamixScalars {
  float scale, beta1, rest1, beta2, rest2, beta3, rest3, per_fast, alpha, root, eps;
};
/// x = g / max(sqrt(v), eps), cut to clip;  u = m = beta1 * m + rest1 * x;  v as Adam
struct AdoptScalars {
  float scale, beta1, rest1, beta2, rest2, eps, clip;
};
/// v = rho * v + rest * g * g;  u = sqrt(x + eps) / sqrt(v + eps) * g;  x = rho * x + rest * u * u;  p -= lr * u
struct AdadeltaScalars {
  float scale, l2, rho, rest, eps, lr;
};
/// The size of an element's step: + start, times grow or shrink by whether the gradient kept its sign.
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
  // sums.cpp
  /// The sum of x[i]^2.
  double (*sum_squares)(const float* x, Index n);
  /// sums[0] = sum (x - before)^2, sums[1] = sum before^2
  void (*change)(const float* x, const float* before, Index n, double* sums);

  // sgd.cpp
  void (*sgd)(const SgdScalars& scalars, const SgdColumns& columns, Index n);
  /// In PyTorch's order: p = p * decay - lr * d.
  void (*sgd_torch)(const SgdScalars& scalars, const SgdColumns& columns, Index n);

  // adam.cpp
  void (*adam)(const AdamScalars& scalars, const AdamColumns& columns, Index n);
  /// In PyTorch's order: p *= decay, p += rate * m / (sqrt(v) / root + eps).
  void (*adam_torch)(const AdamScalars& scalars, const AdamColumns& columns, Index n);

  // adam_narrow.cpp
  void (*adam_bf16)(const AdamScalars& scalars, const NarrowColumns& columns, Index n);
  /// Columns must start at a block.
  void (*adam_8bit)(const AdamScalars& scalars, const NarrowColumns& columns, Index n);

  // Directions that may be taken cautiously, one file each; see TakeScalars.
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
  /// Without v: u = g + decay * y.
  void (*schedule_free)(const ScheduleFreeScalars& scalars, float* y, const float* g, float* z, float* v, Index n);
  void (*nadam)(const NAdamScalars& scalars, const AdamColumns& columns, Index n);
  void (*adamax)(const AdamaxScalars& scalars, const AdamColumns& columns, Index n);
  void (*adagrad)(const AdagradScalars& scalars, float* p, const float* g, float* sum, Index n);
  void (*rmsprop)(const RmspropScalars& scalars, const RmspropColumns& columns, Index n);
  void (*lion)(const LionScalars& scalars, float* p, const float* g, float* m, Index n);
  /// Updates the moments; sums[0] = sum p^2, sums[1] = sum of the squares of the change with a trust of 1.
  void (*lamb_moments)(const AdamScalars& scalars, const AdamColumns& columns, Index n, double* sums);
  /// p -= trust * change
  void (*lamb_apply)(const AdamScalars& scalars, float trust, const AdamColumns& columns, Index n);

  /// Updates m, v, s; sums[0] = sum g * (p0 - p), sums[1] = sum |s|.
  void (*prodigy_moments)(const ProdigyScalars& scalars, const ProdigyColumns& columns, Index n, double* sums);
  void (*prodigy_apply)(const ProdigyScalars& scalars, float eps, const ProdigyColumns& columns, Index n);

  // muon.cpp
  /// buf = momentum * buf + rest * g;  g = nesterov ? rest * g + momentum * buf : buf
  void (*muon_direction)(float* g, float* buf, float momentum, float rest, bool nesterov, Index n);
  /// y = factor * x; they may be the same.
  void (*scale)(const float* x, float factor, float* y, Index n);
  /// x = x_factor * x + y_factor * y
  void (*mix)(float* x, float x_factor, const float* y, float y_factor, Index n);

  // adafactor.cpp
  /// sums += (factor * x)^2
  void (*add_squares)(float* sums, const float* x, float factor, Index n);
  /// x = factor * x * y
  void (*multiply)(float* x, const float* y, float factor, Index n);
  /// With g the factor times the gradient: v = keep * v + rest * (g^2 + eps);  g = g / sqrt(v)
  void (*divide_by_root)(float* g, float* v, float factor, float keep, float rest, float eps, Index n);

  // average.cpp
  /// mean += weight * (p - mean)
  void (*average)(float* mean, const float* p, float weight, Index n);
  /// slow += share * (p - slow);  p = slow
  void (*look_back)(float* slow, float* p, float share, Index n);
  void (*to_bf16)(const float* x, std::uint16_t* y, Index n);
};

/// The kernels in use: those of kernels::isa().
const Table& current();
const Table& table_of(kernels::Isa isa);
/// Uses other ones from here on. For tests.
void use(kernels::Isa isa);

}  // namespace temper::optim_kernels
