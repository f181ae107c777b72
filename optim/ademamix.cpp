#include <temper/optim/ademamix.hpp>

#include <cmath>

#include "optim/schedule_internal.hpp"
#include "optim/take_internal.hpp"

namespace temper::optim {

namespace {

namespace hyper {
enum : std::size_t { lr, beta1, beta2, beta3, alpha, eps, weight_decay };
}
enum : std::size_t { exp_avg, exp_avg_slow, exp_avg_sq };

}  // namespace

Schedule beta3_warmup(double beta1, double beta3, StepCount steps) {
  const Step n = steps;
  detail::check_steps("beta3_warmup", n);
  for (const double beta : {beta1, beta3}) {
    if (!(beta > 0.0 && beta < 1.0)) fail<ValueError>("beta3_warmup: beta {}, expected between 0 and 1", beta);
  }
  // The half-life of an average with decay beta is ln(1/2) / ln(beta) updates; it rises linearly.
  const double from = std::log(0.5) / std::log(beta1), to = std::log(0.5) / std::log(beta3);
  return detail::ScheduleNode::wrap(
      {.text = fmt::format("beta3_warmup({}, {}, {})", beta1, beta3, n), .length = n, .at = [=](Step k) {
         if (k + 1 >= n) return beta3;
         const double share = static_cast<double>(k + 1) / static_cast<double>(n);
         return std::pow(0.5, 1.0 / (from + (to - from) * share));
       }});
}

AdEMAMix::AdEMAMix(Groups groups, const AdEMAMixOptions& options)
    : Optimizer(std::move(groups), {.name = "AdEMAMix",
                                    .hypers = {{"lr", options.lr},
                                               {"beta1", options.beta1, Hyper::Range::fraction},
                                               {"beta2", options.beta2, Hyper::Range::fraction},
                                               {"beta3", options.beta3, Hyper::Range::fraction},
                                               {"alpha", options.alpha},
                                               {"eps", options.eps},
                                               {"weight_decay", options.weight_decay}},
                                    .states = {"exp_avg", "exp_avg_slow", "exp_avg_sq"},
                                    .clip_norm = options.clip_norm,
                                    .nonfinite = options.nonfinite,
                                    .maximize = options.maximize,
                                    .phases = detail::caution_of(options).phases(),
                                    .decay = options.decay,
                                    .variant = detail::caution_of(options).text(),
                                    .second_moment = "beta2"}),
      decay_(options.decay),
      cautious_(options.cautious),
      cautious_decay_(options.cautious_decay) {}

void AdEMAMix::prepare(Now& now) const {
  const auto& h = now.hyper;
  now.products[0] *= h[hyper::beta1];
  now.products[1] *= h[hyper::beta2];
  now.put(optim_kernels::AdemamixScalars{.scale = static_cast<float>(now.scale),
                                         .beta1 = static_cast<float>(h[hyper::beta1]),
                                         .rest1 = static_cast<float>(1.0 - h[hyper::beta1]),
                                         .beta2 = static_cast<float>(h[hyper::beta2]),
                                         .rest2 = static_cast<float>(1.0 - h[hyper::beta2]),
                                         .beta3 = static_cast<float>(h[hyper::beta3]),
                                         .rest3 = static_cast<float>(1.0 - h[hyper::beta3]),
                                         .per_fast = static_cast<float>(1.0 / (1.0 - now.products[0])),
                                         .alpha = static_cast<float>(h[hyper::alpha]),
                                         .root = static_cast<float>(1.0 / std::sqrt(1.0 - now.products[1])),
                                         .eps = static_cast<float>(h[hyper::eps])});
}

void AdEMAMix::update(const Piece& piece) const {
  const double lr = piece.now.hyper[hyper::lr];
  const double decay = piece.now.hyper[hyper::weight_decay] * (decay_ == Decay::coupled ? lr : 1.0);
  detail::take(piece, {cautious_, cautious_decay_}, lr, decay, [&](const optim_kernels::TakeScalars& scalars) {
    return optim_kernels::current().ademamix(piece.now.get<optim_kernels::AdemamixScalars>(), scalars,
                                             {piece.p, piece.g, nullptr}, piece.state(exp_avg),
                                             piece.state(exp_avg_slow), piece.state(exp_avg_sq), piece.n);
  });
}

}  // namespace temper::optim
