#include <temper/optim/prodigy.hpp>

#include <algorithm>
#include <cmath>

#include "framework/core/format_internal.hpp"
#include "optim/kernels/table.hpp"

namespace temper::optim {

namespace {

namespace hyper {
enum : std::size_t { lr, beta1, beta2, eps, weight_decay, d_coef, growth };
}
namespace global {
enum : std::size_t { d, d_max, numerator };
}
enum : std::size_t { exp_avg, exp_avg_sq, s, p0 };

}  // namespace

Prodigy::Prodigy(Groups groups, const ProdigyOptions& options)
    : Optimizer(std::move(groups),
                {.name = "Prodigy",
                 .hypers = {{"lr", options.lr},
                            {"beta1", options.beta1, Hyper::Range::fraction},
                            {"beta2", options.beta2, Hyper::Range::fraction},
                            {"eps", options.eps},
                            {"weight_decay", options.weight_decay},
                            {"d_coef", options.d_coef},
                            {"growth", options.growth, Hyper::Range::no_nan}},
                 .states = {"exp_avg", "exp_avg_sq", "s", "p0"},
                 .clip_norm = options.clip_norm,
                 .nonfinite = options.nonfinite,
                 .maximize = options.maximize,
                 .phases = 2,
                 .variant = fmt::format(", d0 {}{}{}", options.d0, options.bias_correction ? ", bias correction" : "",
                                        options.safeguard_warmup ? ", safeguarded" : ""),
                 .globals = {options.d0, options.d0, 0.0},
                 .second_moment = "beta2",
                 .decay_rescaled = true}),
      d0_(options.d0),
      bias_correction_(options.bias_correction),
      safeguard_warmup_(options.safeguard_warmup) {
  if (!(options.d0 > 0.0 && std::isfinite(options.d0))) {
    fail<ValueError>("Prodigy: d0 is {}, expected a positive number", options.d0);
  }
}

double Prodigy::d() const { return globals()[global::d]; }

void Prodigy::prepare(Now& now) const {
  const auto& h = now.hyper;
  now.products[0] *= h[hyper::beta1];
  now.products[1] *= h[hyper::beta2];
  const double d = now.globals[global::d];
  const double correction = bias_correction_ ? std::sqrt(1.0 - now.products[1]) / (1.0 - now.products[0]) : 1.0;
  const double rate = d * h[hyper::lr] * correction;
  now.put(optim_kernels::ProdigyScalars{.scale = static_cast<float>(now.scale),
                                        .beta1 = static_cast<float>(h[hyper::beta1]),
                                        .rest1 = static_cast<float>(d * (1.0 - h[hyper::beta1])),
                                        .beta2 = static_cast<float>(h[hyper::beta2]),
                                        .rest2 = static_cast<float>(d * d * (1.0 - h[hyper::beta2])),
                                        .beta3 = static_cast<float>(std::sqrt(h[hyper::beta2])),
                                        .rest3 = static_cast<float>(d / d0_ * (safeguard_warmup_ ? d : rate)),
                                        .rate = static_cast<float>(rate),
                                        .decay = static_cast<float>(rate * h[hyper::weight_decay]),
                                        .first = now.t == 1});
}

void Prodigy::between_phases(int, Now now, const std::array<double, 2>& totals, std::span<double> globals) const {
  const auto& h = now.hyper;
  double& d = globals[global::d];
  double& numerator = globals[global::numerator];
  const double correction = bias_correction_ ? std::sqrt(1.0 - now.products[1]) / (1.0 - now.products[0]) : 1.0;
  const double rate = d * h[hyper::lr] * correction;
  numerator = std::sqrt(h[hyper::beta2]) * numerator + d / d0_ * rate * totals[0];
  if (!(totals[1] > 0.0) || !(h[hyper::lr] > 0.0)) return;
  const double estimate = h[hyper::d_coef] * numerator / totals[1];
  double& d_max = globals[global::d_max];
  if (d == d0_) d = std::max(d, estimate);
  d_max = std::max(d_max, estimate);
  d = std::min(d_max, d * h[hyper::growth]);
}

void Prodigy::update(const Piece& piece) const {
  const auto& table = optim_kernels::current();
  const auto scalars = piece.now.get<optim_kernels::ProdigyScalars>();
  const optim_kernels::ProdigyColumns columns{
      piece.p, piece.g, piece.state(exp_avg), piece.state(exp_avg_sq), piece.state(s), piece.state(p0)};
  if (piece.phase == 0) {
    table.prodigy_moments(scalars, columns, piece.n, piece.sums.data());
  } else {
    const double eps = piece.globals[global::d] * piece.now.hyper[hyper::eps];
    table.prodigy_apply(scalars, static_cast<float>(eps), columns, piece.n);
  }
}

}  // namespace temper::optim
