#include <temper/optim/lamb.hpp>

#include <cmath>

#include "optim/adam_internal.hpp"
#include "optim/kernels/table.hpp"

namespace temper::optim {

namespace {

namespace hyper {
enum : std::size_t { lr, beta1, beta2, eps, weight_decay };
}

}  // namespace

LAMB::LAMB(Groups groups, const LAMBOptions& options)
    : Optimizer(std::move(groups), {.name = "LAMB",
                                    .hypers = {{"lr", options.lr},
                                               {"beta1", options.beta1, Hyper::Range::fraction},
                                               {"beta2", options.beta2, Hyper::Range::fraction},
                                               {"eps", options.eps},
                                               {"weight_decay", options.weight_decay}},
                                    .states = {"exp_avg", "exp_avg_sq"},
                                    .clip_norm = options.clip_norm,
                                    .nonfinite = options.nonfinite,
                                    .maximize = options.maximize,
                                    .phases = 2,
                                    .second_moment = "beta2",
                                    .decay_rescaled = true}) {}

void LAMB::prepare(Now& now) const {
  now.put(detail::adam_scalars(now, hyper::beta1, 1.0, now.hyper[hyper::weight_decay]));
}

void LAMB::update(const Piece& piece) const {
  const auto& table = optim_kernels::current();
  const auto scalars = piece.now.get<optim_kernels::AdamScalars>();
  const optim_kernels::AdamColumns columns{
      .p = piece.p, .g = piece.g, .m = piece.state(0), .v = piece.state(1), .v_max = nullptr, .lost = nullptr};
  if (piece.phase == 0) {
    table.lamb_moments(scalars, columns, piece.n, piece.sums.data());
    return;
  }
  const double size = std::sqrt(piece.totals[0]), change = std::sqrt(piece.totals[1]);
  const double trust = size > 0.0 && change > 0.0 ? size / change : 1.0;
  table.lamb_apply(scalars, static_cast<float>(piece.now.hyper[hyper::lr] * trust), columns, piece.n);
}

}  // namespace temper::optim
