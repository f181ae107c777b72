#include <temper/optim/radam.hpp>

#include <cmath>

#include "optim/kernels/table.hpp"

namespace temper::optim {

namespace {

namespace hyper {
enum : std::size_t { lr, beta1, beta2, eps, l2 };
}

}  // namespace

RAdam::RAdam(Groups groups, const RAdamOptions& options)
    : Optimizer(std::move(groups), {.name = "RAdam",
                                    .hypers = {{"lr", options.lr},
                                               {"beta1", options.beta1, Hyper::Range::fraction},
                                               {"beta2", options.beta2, Hyper::Range::fraction},
                                               {"eps", options.eps},
                                               {"l2", options.l2}},
                                    .states = {"exp_avg", "exp_avg_sq"},
                                    .clip_norm = options.clip_norm,
                                    .nonfinite = options.nonfinite,
                                    .maximize = options.maximize}) {}

void RAdam::prepare(Now& now) const {
  const double beta2 = now.hyper[hyper::beta2];
  now.products[0] *= now.hyper[hyper::beta1];
  now.products[1] *= beta2;
  const double left = 1.0 - now.products[1];
  const double rho_end = 2.0 / (1.0 - beta2) - 1.0;
  const double rho = rho_end - 2.0 * static_cast<double>(now.t) * now.products[1] / left;
  double rate = now.hyper[hyper::lr] / (1.0 - now.products[0]);
  const bool rectified = rho > 5.0;
  if (rectified) {
    rate *=
        std::sqrt(left) * std::sqrt((rho - 4.0) * (rho - 2.0) * rho_end / ((rho_end - 4.0) * (rho_end - 2.0) * rho));
  }
  now.put(optim_kernels::AdamScalars{
      .scale = static_cast<float>(now.scale),
      .l2 = static_cast<float>(now.hyper[hyper::l2]),
      .beta1 = static_cast<float>(now.hyper[hyper::beta1]),
      .rest1 = static_cast<float>(1.0 - now.hyper[hyper::beta1]),
      .beta2 = static_cast<float>(beta2),
      .rest2 = static_cast<float>(1.0 - beta2),
      .root = rectified ? 1.0f : 0.0f,  // the kernel divides by sqrt(v) * root + eps, which is 1 before
      .eps = rectified ? static_cast<float>(now.hyper[hyper::eps]) : 1.0f,
      .rate = static_cast<float>(rate),
      .decay = 0.0f,
  });
}

void RAdam::update(const Piece& piece) const {
  optim_kernels::current().adam(
      piece.now.get<optim_kernels::AdamScalars>(),
      {.p = piece.p, .g = piece.g, .m = piece.state(0), .v = piece.state(1), .v_max = nullptr, .lost = nullptr},
      piece.n);
}

}  // namespace temper::optim
