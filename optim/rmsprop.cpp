#include <temper/optim/rmsprop.hpp>

#include <cmath>

#include "optim/group_internal.hpp"
#include "optim/kernels/table.hpp"

namespace temper::optim {

namespace {

namespace hyper {
enum : std::size_t { lr, alpha, eps, momentum, l2 };
}

enum : std::size_t { square_avg, first_optional };  // states

std::vector<StateSpec> states(const Groups& groups, const RMSpropOptions& options) {
  std::vector<StateSpec> result = {"square_avg"};
  if (options.centered) result.push_back({"grad_avg", StateSpec::Kind::f32, {}, true});
  const Predicate with_momentum = detail::where_not_zero(groups, "momentum", options.momentum);
  if (with_momentum) result.push_back({"momentum_buffer", StateSpec::Kind::f32, with_momentum, true});
  return result;
}

}  // namespace

RMSprop::RMSprop(const Groups& groups, const RMSpropOptions& options)
    : Optimizer(groups, {.name = "RMSprop",
                         .hypers = {{"lr", options.lr},
                                    {"alpha", options.alpha, Hyper::Range::fraction},
                                    {"eps", options.eps},
                                    {"momentum", options.momentum, Hyper::Range::fraction},
                                    {"l2", options.l2}},
                         .states = states(groups, options),
                         .clip_norm = options.clip_norm,
                         .nonfinite = options.nonfinite,
                         .maximize = options.maximize,
                         .second_moment = "alpha"}),
      centered_(options.centered) {}

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
  const std::size_t momentum_buffer = first_optional + (centered_ ? 1 : 0);
  const optim_kernels::RmspropColumns columns{
      .p = piece.p,
      .g = piece.g,
      .v = piece.state(square_avg),
      .mean = centered_ ? piece.state(first_optional) : nullptr,
      .buf = piece.state(momentum_buffer),  // null without momentum
  };
  optim_kernels::current().rmsprop(piece.now.get<optim_kernels::RmspropScalars>(), columns, piece.n);
}

}  // namespace temper::optim
