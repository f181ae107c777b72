#include <temper/optim/adadelta.hpp>

#include "optim/kernels/table.hpp"

namespace temper::optim {

namespace {

namespace hyper {
enum : std::size_t { lr, rho, eps, l2 };
}
enum : std::size_t { square_avg, acc_delta };

}  // namespace

Adadelta::Adadelta(Groups groups, const AdadeltaOptions& options)
    : Optimizer(std::move(groups), {.name = "Adadelta",
                                    .hypers = {{"lr", options.lr},
                                               {"rho", options.rho, Hyper::Range::fraction},
                                               {"eps", options.eps},
                                               {"l2", options.l2}},
                                    .states = {"square_avg", "acc_delta"},
                                    .clip_norm = options.clip_norm,
                                    .nonfinite = options.nonfinite,
                                    .maximize = options.maximize}) {}

void Adadelta::prepare(Now& now) const {
  now.put(optim_kernels::AdadeltaScalars{.scale = static_cast<float>(now.scale),
                                         .l2 = static_cast<float>(now.hyper[hyper::l2]),
                                         .rho = static_cast<float>(now.hyper[hyper::rho]),
                                         .rest = static_cast<float>(1.0 - now.hyper[hyper::rho]),
                                         .eps = static_cast<float>(now.hyper[hyper::eps]),
                                         .lr = static_cast<float>(now.hyper[hyper::lr])});
}

void Adadelta::update(const Piece& piece) const {
  optim_kernels::current().adadelta(piece.now.get<optim_kernels::AdadeltaScalars>(), piece.p, piece.g,
                                    piece.state(square_avg), piece.state(acc_delta), piece.n);
}

}  // namespace temper::optim
