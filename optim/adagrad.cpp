#include <temper/optim/adagrad.hpp>

#include <cmath>

#include "optim/kernels/table.hpp"

namespace temper::optim {

namespace {

namespace hyper {
enum : std::size_t { lr, lr_decay, eps, l2, initial };
}

}  // namespace

Adagrad::Adagrad(Groups groups, const AdagradOptions& options)
    : Optimizer(std::move(groups), {.name = "Adagrad",
                                    .hypers = {{"lr", options.lr},
                                               {"lr_decay", options.lr_decay},
                                               {"eps", options.eps},
                                               {"l2", options.l2},
                                               {"initial", options.initial}},
                                    .states = {"sum"},
                                    .clip_norm = options.clip_norm,
                                    .nonfinite = options.nonfinite,
                                    .maximize = options.maximize}) {}

void Adagrad::prepare(Now& now) const {
  const double rate = now.hyper[hyper::lr] / (1.0 + static_cast<double>(now.t - 1) * now.hyper[hyper::lr_decay]);
  now.put(optim_kernels::AdagradScalars{
      .scale = static_cast<float>(now.scale),
      .l2 = static_cast<float>(now.hyper[hyper::l2]),
      .start = static_cast<float>(now.t == 1 ? now.hyper[hyper::initial] : 0.0),
      .eps = static_cast<float>(now.hyper[hyper::eps]),
      .rate = static_cast<float>(rate),
  });
}

void Adagrad::update(const Piece& piece) const {
  optim_kernels::current().adagrad(piece.now.get<optim_kernels::AdagradScalars>(), piece.p, piece.g, piece.state(0),
                                   piece.n);
}

}  // namespace temper::optim
