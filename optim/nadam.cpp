#include <temper/optim/nadam.hpp>

#include <cmath>

#include "optim/kernels/table.hpp"

namespace temper::optim {

namespace {

namespace hyper {
enum : std::size_t { lr, beta1, beta2, eps, l2, momentum_decay };
}

}  // namespace

NAdam::NAdam(Groups groups, const NAdamOptions& options)
    : Optimizer(std::move(groups), {.name = "NAdam",
                                    .hypers = {{"lr", options.lr},
                                               {"beta1", options.beta1, Hyper::Range::fraction},
                                               {"beta2", options.beta2, Hyper::Range::fraction},
                                               {"eps", options.eps},
                                               {"l2", options.l2},
                                               {"momentum_decay", options.momentum_decay}},
                                    .states = {"exp_avg", "exp_avg_sq"},
                                    .clip_norm = options.clip_norm,
                                    .nonfinite = options.nonfinite,
                                    .maximize = options.maximize,
                                    .variant = options.torch_1_13 ? ", as PyTorch 1.13" : "",
                                    .second_moment = "beta2"}),
      torch_1_13_(options.torch_1_13) {}

void NAdam::prepare(Now& now) const {
  const auto momentum = [&](Step t) {
    return now.hyper[hyper::beta1] *
           (1.0 - 0.5 * std::pow(0.96, static_cast<double>(t) * now.hyper[hyper::momentum_decay]));
  };
  const double mu = momentum(now.t), next = momentum(now.t + 1), rate = now.hyper[hyper::lr];
  now.products[0] *= mu;
  now.products[1] *= now.hyper[hyper::beta2];
  const double product_next = now.products[0] * next * (torch_1_13_ ? mu : 1.0);
  now.put(optim_kernels::NAdamScalars{
      .scale = static_cast<float>(now.scale),
      .l2 = static_cast<float>(now.hyper[hyper::l2]),
      .beta1 = static_cast<float>(now.hyper[hyper::beta1]),
      .rest1 = static_cast<float>(1.0 - now.hyper[hyper::beta1]),
      .beta2 = static_cast<float>(now.hyper[hyper::beta2]),
      .rest2 = static_cast<float>(1.0 - now.hyper[hyper::beta2]),
      .root = static_cast<float>(1.0 / std::sqrt(1.0 - now.products[1])),
      .eps = static_cast<float>(now.hyper[hyper::eps]),
      .rate_m = static_cast<float>(rate * next / (1.0 - product_next)),
      .rate_g = static_cast<float>(rate * (1.0 - mu) / (1.0 - now.products[0])),
  });
}

void NAdam::update(const Piece& piece) const {
  optim_kernels::current().nadam(
      piece.now.get<optim_kernels::NAdamScalars>(),
      {.p = piece.p, .g = piece.g, .m = piece.state(0), .v = piece.state(1), .v_max = nullptr, .lost = nullptr},
      piece.n);
}

}  // namespace temper::optim
