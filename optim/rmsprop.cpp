#include <temper/optim/rmsprop.hpp>

#include <cmath>

#include "optim/kernels/table.hpp"

namespace temper::optim {

namespace {

namespace hyper {
enum : std::size_t { lr, alpha, eps, momentum, l2 };
}

std::vector<StateSpec> states(const RMSpropOptions& options) {
  std::vector<StateSpec> result = {"square_avg"};
  if (options.centered) result.emplace_back("grad_avg");
  if (!(options.momentum == Schedule(0.0))) result.emplace_back("momentum_buffer");
  return result;
}

}  // namespace

RMSprop::RMSprop(Groups groups, const RMSpropOptions& options)
    : Optimizer(std::move(groups), {.name = "RMSprop",
                                    .hypers = {{"lr", options.lr},
                                               {"alpha", options.alpha, Hyper::Range::fraction},
                                               {"eps", options.eps},
                                               {"momentum", options.momentum, Hyper::Range::fraction},
                                               {"l2", options.l2}},
                                    .states = states(options),
                                    .clip_norm = options.clip_norm,
                                    .nonfinite = options.nonfinite,
                                    .maximize = options.maximize}),
      centered_(options.centered),
      has_momentum_(!(options.momentum == Schedule(0.0))) {}

void RMSprop::prepare(Now& now) const {
  now.put(optim_kernels::RmspropScalars{
      .scale = static_cast<float>(now.scale),
      .l2 = static_cast<float>(now.hyper[hyper::l2]),
      .alpha = static_cast<float>(now.hyper[hyper::alpha]),
      .rest = static_cast<float>(1.0 - now.hyper[hyper::alpha]),
      .eps = static_cast<float>(now.hyper[hyper::eps]),
      .momentum = static_cast<float>(now.hyper[hyper::momentum]),
      .lr = static_cast<float>(now.hyper[hyper::lr]),
  });
}

void RMSprop::update(const Piece& piece) const {
  std::size_t next = 1;
  const optim_kernels::RmspropColumns columns{
      .p = piece.p,
      .g = piece.g,
      .v = piece.state(0),
      .mean = centered_ ? piece.state(next++) : nullptr,
      .buf = has_momentum_ ? piece.state(next) : nullptr,
  };
  optim_kernels::current().rmsprop(piece.now.get<optim_kernels::RmspropScalars>(), columns, piece.n);
}

}  // namespace temper::optim
