#include <temper/optim/adamax.hpp>

#include <cmath>

#include "optim/kernels/table.hpp"

namespace temper::optim {

namespace {

namespace hyper {
enum : std::size_t { lr, beta1, beta2, eps, l2 };
}

}  // namespace

Adamax::Adamax(Groups groups, const AdamaxOptions& options)
    : Optimizer(std::move(groups), {.name = "Adamax",
                                    .hypers = {{"lr", options.lr},
                                               {"beta1", options.beta1, Hyper::Range::fraction},
                                               {"beta2", options.beta2, Hyper::Range::fraction},
                                               {"eps", options.eps},
                                               {"l2", options.l2}},
                                    .states = {"exp_avg", "exp_inf"},
                                    .clip_norm = options.clip_norm,
                                    .nonfinite = options.nonfinite,
                                    .maximize = options.maximize,
                                    .second_moment = "beta2"}) {}

void Adamax::prepare(Now& now) const {
  now.products[0] *= now.hyper[hyper::beta1];
  now.put(optim_kernels::AdamaxScalars{
      .scale = static_cast<float>(now.scale),
      .l2 = static_cast<float>(now.hyper[hyper::l2]),
      .beta1 = static_cast<float>(now.hyper[hyper::beta1]),
      .rest1 = static_cast<float>(1.0 - now.hyper[hyper::beta1]),
      .beta2 = static_cast<float>(now.hyper[hyper::beta2]),
      .eps = static_cast<float>(now.hyper[hyper::eps]),
      .rate = static_cast<float>(now.hyper[hyper::lr] / (1.0 - now.products[0])),
  });
}

void Adamax::update(const Piece& piece) const {
  optim_kernels::current().adamax(
      piece.now.get<optim_kernels::AdamaxScalars>(),
      {.p = piece.p, .g = piece.g, .m = piece.state(0), .v = piece.state(1), .v_max = nullptr, .lost = nullptr},
      piece.n);
}

}  // namespace temper::optim
