#include <temper/optim/rprop.hpp>

#include "optim/kernels/table.hpp"

namespace temper::optim {

namespace {

namespace hyper {
enum : std::size_t { lr, shrink, grow, least, most };
}
enum : std::size_t { prev, step_size };

}  // namespace

Rprop::Rprop(Groups groups, const RpropOptions& options)
    : Optimizer(std::move(groups), {.name = "Rprop",
                                    .hypers = {{"lr", options.lr},
                                               {"shrink", options.shrink, Hyper::Range::fraction},
                                               {"grow", options.grow},
                                               {"least", options.least},
                                               {"most", options.most}},
                                    .states = {"prev", "step_size"},
                                    .clip_norm = options.clip_norm,
                                    .nonfinite = options.nonfinite,
                                    .maximize = options.maximize}) {}

void Rprop::prepare(Now& now) const {
  now.put(optim_kernels::RpropScalars{.scale = static_cast<float>(now.scale),
                                      .start = static_cast<float>(now.t == 1 ? now.hyper[hyper::lr] : 0.0),
                                      .shrink = static_cast<float>(now.hyper[hyper::shrink]),
                                      .grow = static_cast<float>(now.hyper[hyper::grow]),
                                      .least = static_cast<float>(now.hyper[hyper::least]),
                                      .most = static_cast<float>(now.hyper[hyper::most])});
}

void Rprop::update(const Piece& piece) const {
  optim_kernels::current().rprop(piece.now.get<optim_kernels::RpropScalars>(), piece.p, piece.g, piece.state(prev),
                                 piece.state(step_size), piece.n);
}

}  // namespace temper::optim
