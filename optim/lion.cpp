#include <temper/optim/lion.hpp>

#include <cmath>

#include "optim/take_internal.hpp"

namespace temper::optim {

namespace {

namespace hyper {
enum : std::size_t { lr, beta1, beta2, weight_decay };
}

}  // namespace

Lion::Lion(Groups groups, const LionOptions& options)
    : Optimizer(std::move(groups), {.name = "Lion",
                                    .hypers = {{"lr", options.lr},
                                               {"beta1", options.beta1, Hyper::Range::fraction},
                                               {"beta2", options.beta2, Hyper::Range::fraction},
                                               {"weight_decay", options.weight_decay}},
                                    .states = {"exp_avg"},
                                    .clip_norm = options.clip_norm,
                                    .nonfinite = options.nonfinite,
                                    .maximize = options.maximize,
                                    .phases = detail::caution_of(options).phases(),
                                    .decay = options.decay,
                                    .variant = detail::caution_of(options).text()}),
      decay_(options.decay),
      cautious_(options.cautious),
      cautious_decay_(options.cautious_decay) {}

void Lion::prepare(Now& now) const {
  const double rate = now.hyper[hyper::lr];
  now.put(optim_kernels::LionScalars{
      .scale = static_cast<float>(now.scale),
      .beta1 = static_cast<float>(now.hyper[hyper::beta1]),
      .rest1 = static_cast<float>(1.0 - now.hyper[hyper::beta1]),
      .beta2 = static_cast<float>(now.hyper[hyper::beta2]),
      .rest2 = static_cast<float>(1.0 - now.hyper[hyper::beta2]),
      .lr = static_cast<float>(rate),
      .decay = static_cast<float>(now.hyper[hyper::weight_decay] * (decay_ == Decay::coupled ? rate : 1.0)),
  });
}

void Lion::update(const Piece& piece) const {
  const auto scalars = piece.now.get<optim_kernels::LionScalars>();
  if (!cautious_ && !cautious_decay_) {
    optim_kernels::current().lion(scalars, piece.p, piece.g, piece.state(0), piece.n);
    return;
  }
  detail::take(
      piece, {cautious_, cautious_decay_}, static_cast<double>(scalars.lr), static_cast<double>(scalars.decay),
      [&](const optim_kernels::TakeScalars& take) {
        return optim_kernels::current().lion_take(scalars, take, {piece.p, piece.g, nullptr}, piece.state(0), piece.n);
      });
}

}  // namespace temper::optim
