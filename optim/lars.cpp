#include <temper/optim/lars.hpp>

#include <cmath>

#include "optim/kernels/table.hpp"

namespace temper::optim {

namespace {

namespace hyper {
enum : std::size_t { lr, momentum, weight_decay, trust, eps };
}

}  // namespace

LARS::LARS(Groups groups, const LARSOptions& options)
    : Optimizer(std::move(groups), {.name = "LARS",
                                    .hypers = {{"lr", options.lr},
                                               {"momentum", options.momentum, Hyper::Range::fraction},
                                               {"weight_decay", options.weight_decay},
                                               {"trust", options.trust},
                                               {"eps", options.eps}},
                                    .states = {"momentum_buffer"},
                                    .clip_norm = options.clip_norm,
                                    .nonfinite = options.nonfinite,
                                    .maximize = options.maximize,
                                    .phases = 2,
                                    .variant = options.nesterov ? ", nesterov" : "",
                                    .decay_rescaled = true}),
      nesterov_(options.nesterov) {
  for (const Group& group : this->groups()) {
    for (const Parameter& parameter : group.parameters) scaled_.push_back(parameter.shape().rank() > 1);
  }
}

void LARS::update(const Piece& piece) const {
  const auto& table = optim_kernels::current();
  const auto& now = piece.now.hyper;
  const bool scaled = scaled_[piece.parameter];
  if (piece.phase == 0) {
    if (scaled) piece.sums = {table.sum_squares(piece.p, piece.n), table.sum_squares(piece.g, piece.n)};
    return;
  }
  const double decay = scaled ? now[hyper::weight_decay] : 0.0;
  double rate = now[hyper::lr];
  if (scaled) {
    const double size = std::sqrt(piece.totals[0]), gradient = std::abs(piece.now.scale) * std::sqrt(piece.totals[1]);
    if (size > 0.0 && gradient > 0.0) rate *= now[hyper::trust] * size / (gradient + decay * size + now[hyper::eps]);
  }
  const double mu = now[hyper::momentum];
  const optim_kernels::SgdScalars scalars{.scale = static_cast<float>(rate * piece.now.scale),
                                          .l2 = static_cast<float>(rate * decay),
                                          .keep = static_cast<float>(mu),
                                          .take = 1.0f,
                                          .direct = nesterov_ ? 1.0f : 0.0f,
                                          .through = static_cast<float>(nesterov_ ? mu : 1.0),
                                          .lr = 1.0f,
                                          .decay = 0.0f};
  table.sgd(scalars, {.p = piece.p, .g = piece.g, .buf = piece.state(0), .lost = nullptr}, piece.n);
}

}  // namespace temper::optim
