#include <temper/optim/adam.hpp>

#include <cmath>

#include "framework/core/format_internal.hpp"
#include "optim/adam_internal.hpp"
#include "optim/kernels/table.hpp"
#include "optim/take_internal.hpp"

namespace temper::optim {

namespace {

namespace hyper {
enum : std::size_t { lr, beta1, beta2, eps, decay };
}
enum : std::size_t { exp_avg, exp_avg_sq, first_optional };  // states

std::vector<StateSpec> states(Moments moments) {
  using Kind = StateSpec::Kind;
  switch (moments) {
    case Moments::f32: return {"exp_avg", "exp_avg_sq"};
    case Moments::bf16: return {{"exp_avg", Kind::bf16}, {"exp_avg_sq", Kind::bf16}};
    case Moments::bits8:
      return {{"exp_avg", Kind::codes8},
              {"exp_avg_sq_root", Kind::codes8},
              {"exp_avg_unit", Kind::units},
              {"exp_avg_sq_root_unit", Kind::units}};
  }
  return {};
}

/// A key of the random bits for one piece, by hashing seed, step and parameter.
std::uint32_t rounding_key(std::uint64_t seed, const Piece& piece) {
  std::uint64_t x = seed;
  for (const std::uint64_t part : {static_cast<std::uint64_t>(piece.now.k), static_cast<std::uint64_t>(piece.parameter),
                                   static_cast<std::uint64_t>(piece.begin) >> 32}) {
    // Source: Steele, Lea, Flood (2014), SplitMix64.
    x = (x ^ part) + 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    x ^= x >> 31;
  }
  return static_cast<std::uint32_t>(x);
}

template <class Options>
Definition define(const char* name, Hyper decay_hyper, const Options& options, Decay decay = Decay::coupled) {
  if (options.moments != Moments::f32 && (options.amsgrad || options.rounding != Rounding::once)) {
    fail<ValueError>("{}: moments in fewer bits go with neither amsgrad nor another rounding", name);
  }
  if ((options.nesterov || detail::caution_of(options)) &&
      (options.amsgrad || options.rounding == Rounding::torch_compat)) {
    fail<ValueError>("{}: nesterov and cautious go with neither amsgrad nor Rounding::torch_compat", name);
  }
  if (detail::caution_of(options) && options.moments != Moments::f32) {
    fail<ValueError>("{}: cautious steps need moments in f32", name);
  }
  Definition result{.name = name,
                    .hypers = {{"lr", options.lr},
                               {"beta1", options.beta1, Hyper::Range::fraction},
                               {"beta2", options.beta2, Hyper::Range::fraction},
                               {"eps", options.eps},
                               std::move(decay_hyper)},
                    .states = states(options.moments),
                    .clip_norm = options.clip_norm,
                    .nonfinite = options.nonfinite,
                    .maximize = options.maximize,
                    .phases = detail::caution_of(options).phases(),
                    .rounding = options.rounding,
                    .decay = decay,
                    .variant = (options.nesterov ? ", nesterov" : "") + detail::caution_of(options).text(),
                    .second_moment = "beta2"};
  if (options.amsgrad) result.states.push_back({"max_exp_avg_sq", StateSpec::Kind::f32, {}, true});
  if (options.rounding == Rounding::compensated) result.states.push_back({"lost", StateSpec::Kind::f32, {}, true});
  if (options.moments != Moments::f32 && options.seed != 0) result.variant += fmt::format(", seed {}", options.seed);
  return result;
}

}  // namespace

Adam::Adam(Groups groups, const AdamOptions& options)
    : Optimizer(std::move(groups), define("Adam", {"l2", options.l2}, options)),
      decoupled_(false),
      amsgrad_(options.amsgrad),
      nesterov_(options.nesterov),
      cautious_(options.cautious),
      rounding_(options.rounding),
      moments_(options.moments),
      seed_(options.seed) {}

Adam::Adam(Groups groups, const AdamWOptions& options, Decay decay)
    : Optimizer(std::move(groups), define("AdamW", {"weight_decay", options.weight_decay}, options, decay)),
      decoupled_(true),
      decay_(decay),
      amsgrad_(options.amsgrad),
      nesterov_(options.nesterov),
      cautious_(options.cautious),
      cautious_decay_(options.cautious_decay),
      rounding_(options.rounding),
      moments_(options.moments),
      seed_(options.seed) {}

void Adam::prepare(Now& now) const {
  const double decayed =
      decoupled_ ? now.hyper[hyper::decay] * (decay_ == Decay::coupled ? now.hyper[hyper::lr] : 1.0) : 0.0;
  optim_kernels::AdamScalars scalars = detail::adam_scalars(now, hyper::beta1, now.hyper[hyper::lr], decayed);
  if (!decoupled_) scalars.l2 = static_cast<float>(now.hyper[hyper::decay]);
  if (rounding_ == Rounding::torch_compat) {
    scalars.root = static_cast<float>(std::sqrt(1.0 - now.products[1]));
    scalars.decay = static_cast<float>(1.0 - decayed);
  }
  now.put(scalars);
}

void Adam::update(const Piece& piece) const {
  if (moments_ != Moments::f32) {
    update_narrow(piece);
    return;
  }
  if (nesterov_ || cautious_ || cautious_decay_) {
    update_cautious(piece);
    return;
  }
  const auto& table = optim_kernels::current();
  std::size_t next = first_optional;
  const optim_kernels::AdamColumns columns{
      .p = piece.p,
      .g = piece.g,
      .m = piece.state(exp_avg),
      .v = piece.state(exp_avg_sq),
      .v_max = amsgrad_ ? piece.state(next++) : nullptr,
      .lost = rounding_ == Rounding::compensated ? piece.state(next) : nullptr,
  };
  (rounding_ == Rounding::torch_compat ? table.adam_torch : table.adam)(piece.now.get<optim_kernels::AdamScalars>(),
                                                                        columns, piece.n);
}

void Adam::update_cautious(const Piece& piece) const {
  const auto scalars = piece.now.get<optim_kernels::AdamScalars>();
  const optim_kernels::AdamColumns columns{
      .p = piece.p,
      .g = piece.g,
      .m = piece.state(exp_avg),
      .v = piece.state(exp_avg_sq),
      .v_max = nullptr,
      .lost = rounding_ == Rounding::compensated ? piece.state(first_optional) : nullptr,
  };
  detail::take(piece, {cautious_, cautious_decay_}, static_cast<double>(scalars.rate),
               static_cast<double>(scalars.decay), [&](const optim_kernels::TakeScalars& take) {
                 return optim_kernels::current().adam_take(scalars, take, nesterov_, columns, piece.n);
               });
}

void Adam::update_narrow(const Piece& piece) const {
  const auto& table = optim_kernels::current();
  const bool units = moments_ == Moments::bits8;
  const optim_kernels::NarrowColumns columns{
      .p = piece.p,
      .g = piece.g,
      .m = piece.memory[0],
      .v = piece.memory[1],
      .m_units = units ? piece.state(2) : nullptr,
      .v_units = units ? piece.state(3) : nullptr,
      .key = rounding_key(seed_, piece),
      .first = piece.begin,
      .nesterov = nesterov_,
  };
  (units ? table.adam_8bit : table.adam_bf16)(piece.now.get<optim_kernels::AdamScalars>(), columns, piece.n);
}

}  // namespace temper::optim
