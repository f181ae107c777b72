#include <temper/optim/schedule_free.hpp>

#include <algorithm>
#include <cmath>

#include "framework/core/format_internal.hpp"
#include "optim/kernels/table.hpp"

namespace temper::optim {

namespace {

namespace hyper {
enum : std::size_t { lr, beta1, weight_decay, r, lr_power, beta2, eps };
}
enum : std::size_t { z, exp_avg_sq };
namespace sum {
enum : std::size_t { weights, largest_lr };
}

template <class Options>
Definition define(const char* name, const Options& options) {
  Definition result{.name = name,
                    .hypers = {{"lr", options.lr},
                               {"beta1", options.beta1, Hyper::Range::fraction},
                               {"weight_decay", options.weight_decay},
                               {"r", options.r},
                               {"lr_power", options.lr_power}},
                    .states = {"z"},
                    .clip_norm = options.clip_norm,
                    .nonfinite = options.nonfinite,
                    .maximize = options.maximize,
                    .keeps_sums = true,
                    .evaluates_elsewhere = true,
                    .decay_rescaled = true};
  if constexpr (requires { options.beta2; }) {
    result.hypers.push_back({"beta2", options.beta2, Hyper::Range::fraction});
    result.hypers.push_back({"eps", options.eps});
    result.states.push_back("exp_avg_sq");
    result.second_moment = "beta2";
  }
  return result;
}

}  // namespace

ScheduleFree::ScheduleFree(Groups groups, const ScheduleFreeOptions& options)
    : Optimizer(std::move(groups), define("ScheduleFree", options)) {}
ScheduleFree::ScheduleFree(Groups groups, const ScheduleFreeSGDOptions& options, WithoutMoments)
    : Optimizer(std::move(groups), define("ScheduleFreeSGD", options)) {}

void ScheduleFree::prepare(Now& now) const {
  const auto& h = now.hyper;
  const double lr = h[hyper::lr];
  now.products[0] *= h[hyper::beta2];
  double& largest = now.sums[sum::largest_lr];
  largest = std::max(largest, lr);
  const double weight = std::pow(static_cast<double>(now.t), h[hyper::r]) * std::pow(largest, h[hyper::lr_power]);
  double& weights = now.sums[sum::weights];
  weights += weight;
  const double share = weights > 0.0 ? weight / weights : 0.0;
  now.put(optim_kernels::ScheduleFreeScalars{.scale = static_cast<float>(now.scale),
                                             .beta2 = static_cast<float>(h[hyper::beta2]),
                                             .rest2 = static_cast<float>(1.0 - h[hyper::beta2]),
                                             .root = static_cast<float>(1.0 / std::sqrt(1.0 - now.products[0])),
                                             .eps = static_cast<float>(h[hyper::eps]),
                                             .decay = static_cast<float>(h[hyper::weight_decay]),
                                             .pull = static_cast<float>(share),
                                             .push = static_cast<float>(lr * (h[hyper::beta1] * (1.0 - share) - 1.0)),
                                             .lr = static_cast<float>(lr),
                                             .first = now.t == 1});
}

void ScheduleFree::update(const Piece& piece) const {
  optim_kernels::current().schedule_free(piece.now.get<optim_kernels::ScheduleFreeScalars>(), piece.p, piece.g,
                                         piece.state(z), piece.state(exp_avg_sq), piece.n);
}

/// y = beta1 x + (1 - beta1) z, solved for x.
void ScheduleFree::evaluation_weights(const Piece& piece, float* weights) const {
  const double beta1 = piece.now.hyper[hyper::beta1];
  if (beta1 == 0.0) fail<ValueError>("{}: with a beta1 of 0 no average is kept", name());
  const double share = 1.0 - 1.0 / beta1;
  for (std::int64_t i = 0; i < piece.n; ++i) {
    const double y = static_cast<double>(piece.p[i]);
    weights[i] = static_cast<float>(y + share * (static_cast<double>(piece.state(z)[i]) - y));
  }
}

}  // namespace temper::optim
