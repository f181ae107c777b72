#include <temper/optim/adam.hpp>

#include <cmath>

#include "framework/core/format_internal.hpp"
#include "optim/adam_internal.hpp"
#include "optim/kernels/table.hpp"
#include "optim/rows_internal.hpp"
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

/// With Rows::exact: what is owed to a row of a sparse parameter; see detail::catch_up.
void catch_up(const Piece& row, std::span<const Now> missed) {
  using Scalars = optim_kernels::AdamScalars;
  float *const m = row.state(exp_avg), *const v = row.state(exp_avg_sq);
  const optim_kernels::AdamColumns columns{.p = row.p, .g = row.g, .m = m, .v = v, .v_max = nullptr, .lost = nullptr};
  detail::catch_up(
      row, missed, *row.state(first_optional), m, v, [](const Now& now) { return now.get<Scalars>().l2 != 0.0f; },
      [&](const Now& now) {
        const auto scalars = now.get<Scalars>();
        optim_kernels::current().adam(scalars, columns, row.n);
        return scalars.beta1 / std::sqrt(scalars.beta2);
      },
      [](const Now& now) {
        const auto scalars = now.get<Scalars>();
        return detail::Idle{.decay = scalars.decay, .beta2 = scalars.beta2};
      });
}

template <class Options>
Definition define(const char* name, const Groups& groups, Hyper decay_hyper, const Options& options,
                  Decay decay = Decay::coupled) {
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
  if (options.rows == Rows::exact && (options.amsgrad || options.nesterov || detail::caution_of(options) ||
                                      options.rounding != Rounding::once || options.moments != Moments::f32)) {
    fail<ValueError>(
        "{}: Rows::exact goes with moments in f32 and Rounding::once, without amsgrad, nesterov and cautious steps",
        name);
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
                    .rows = options.rows,
                    .catch_up = catch_up,
                    .second_moment = "beta2"};
  if (options.amsgrad) result.states.push_back({"max_exp_avg_sq", StateSpec::Kind::f32, {}, true});
  if (options.rounding == Rounding::compensated) result.states.push_back({"lost", StateSpec::Kind::f32, {}, true});
  if (detail::any_sparse(groups)) {
    const auto of_rows = [](const char* state) { return StateSpec(state, StateSpec::Kind::rows, detail::is_sparse); };
    if (options.rows == Rows::exact) {
      result.states.push_back(of_rows("exp_avg_left"));
    } else {
      result.states.push_back(of_rows("exp_avg_weight"));
      result.states.push_back(of_rows("exp_avg_sq_weight"));
    }
    if (options.rows == Rows::exact) result.variant += ", exact rows";
  }
  if (options.moments != Moments::f32 && options.seed != 0) result.variant += fmt::format(", seed {}", options.seed);
  return result;
}

}  // namespace

Adam::Adam(const Groups& groups, const AdamOptions& options)
    : Optimizer(groups, define("Adam", groups, {"l2", options.l2}, options)),
      decoupled_(false),
      amsgrad_(options.amsgrad),
      nesterov_(options.nesterov),
      cautious_(options.cautious),
      rounding_(options.rounding),
      moments_(options.moments),
      seed_(options.seed),
      rows_(options.rows) {}

Adam::Adam(const Groups& groups, const AdamWOptions& options, Decay decay)
    : Optimizer(groups, define("AdamW", groups, {"weight_decay", options.weight_decay}, options, decay)),
      decoupled_(true),
      decay_(decay),
      amsgrad_(options.amsgrad),
      nesterov_(options.nesterov),
      cautious_(options.cautious),
      cautious_decay_(options.cautious_decay),
      rounding_(options.rounding),
      moments_(options.moments),
      seed_(options.seed),
      rows_(options.rows) {}

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
  if (piece.row >= 0) {
    update_row(piece);
    return;
  }
  if (moments_ != Moments::f32) {
    update_narrow(piece);
    return;
  }
  update_plain(piece, piece.now.get<optim_kernels::AdamScalars>());
}

/// The row of a sparse parameter.
void Adam::update_row(const Piece& piece) const {
  auto scalars = piece.now.get<optim_kernels::AdamScalars>();
  const std::size_t first = first_optional + (amsgrad_ ? 1 : 0) + (rounding_ == Rounding::compensated ? 1 : 0);
  if (rows_ == Rows::exact) {
    *piece.state(first) = 1.0f;
  } else {
    // How much of its own gradients the row's moments hold: what they are divided by instead of 1 - beta^t.
    float &first_weight = *piece.state(first), &second_weight = *piece.state(first + 1);
    first_weight = scalars.beta1 * first_weight + scalars.rest1;
    second_weight = scalars.beta2 * second_weight + scalars.rest2;
    const float root = std::sqrt(second_weight);
    scalars.rate = static_cast<float>(piece.now.hyper[hyper::lr]) / first_weight;
    scalars.root = rounding_ == Rounding::torch_compat ? root : 1.0f / root;
  }
  update_plain(piece, scalars);
}

/// With moments in f32.
void Adam::update_plain(const Piece& piece, const optim_kernels::AdamScalars& scalars) const {
  if (nesterov_ || cautious_ || cautious_decay_) {
    update_cautious(piece, scalars);
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
  (rounding_ == Rounding::torch_compat ? table.adam_torch : table.adam)(scalars, columns, piece.n);
}

void Adam::update_cautious(const Piece& piece, const optim_kernels::AdamScalars& scalars) const {
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
