#include <temper/optim/adopt.hpp>

#include <cmath>

#include "optim/take_internal.hpp"

namespace temper::optim {

namespace {

namespace hyper {
enum : std::size_t { lr, beta1, beta2, eps, clip_exponent, weight_decay };
}
enum : std::size_t { exp_avg, exp_avg_sq };

}  // namespace

ADOPT::ADOPT(Groups groups, const ADOPTOptions& options)
    : Optimizer(std::move(groups), {.name = "ADOPT",
                                    .hypers = {{"lr", options.lr},
                                               {"beta1", options.beta1, Hyper::Range::fraction},
                                               {"beta2", options.beta2, Hyper::Range::fraction},
                                               {"eps", options.eps},
                                               {"clip_exponent", options.clip_exponent},
                                               {"weight_decay", options.weight_decay}},
                                    .states = {"exp_avg", "exp_avg_sq"},
                                    .clip_norm = options.clip_norm,
                                    .nonfinite = options.nonfinite,
                                    .maximize = options.maximize,
                                    .phases = detail::caution_of(options).phases(),
                                    .decay = options.decay,
                                    .variant = detail::caution_of(options).text()}),
      decay_(options.decay),
      cautious_(options.cautious),
      cautious_decay_(options.cautious_decay) {}

void ADOPT::prepare(Now& now) const {
  const auto& h = now.hyper;
  now.put(optim_kernels::AdoptScalars{
      .scale = static_cast<float>(now.scale),
      .beta1 = static_cast<float>(h[hyper::beta1]),
      .rest1 = static_cast<float>(1.0 - h[hyper::beta1]),
      .beta2 = static_cast<float>(h[hyper::beta2]),
      .rest2 = static_cast<float>(1.0 - h[hyper::beta2]),
      .eps = static_cast<float>(h[hyper::eps]),
      .clip = static_cast<float>(std::pow(static_cast<double>(now.t - 1), h[hyper::clip_exponent]))});
}

void ADOPT::update(const Piece& piece) const {
  const auto& table = optim_kernels::current();
  const auto scalars = piece.now.get<optim_kernels::AdoptScalars>();
  if (piece.now.t == 1) {
    if (piece.phase == 0) table.adopt_first(piece.g, piece.state(exp_avg_sq), scalars.scale, piece.n);
    return;
  }
  const double lr = piece.now.hyper[hyper::lr];
  const double decay = piece.now.hyper[hyper::weight_decay] * (decay_ == Decay::coupled ? lr : 1.0);
  detail::take(piece, {cautious_, cautious_decay_}, lr, decay, [&](const optim_kernels::TakeScalars& take) {
    return table.adopt(scalars, take, {piece.p, piece.g, nullptr}, piece.state(exp_avg), piece.state(exp_avg_sq),
                       piece.n);
  });
}

}  // namespace temper::optim
