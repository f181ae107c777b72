#include <temper/optim/sgd.hpp>

#include "framework/core/format_internal.hpp"
#include "optim/group_internal.hpp"
#include "optim/kernels/table.hpp"
#include "optim/rows_internal.hpp"
#include "optim/take_internal.hpp"

namespace temper::optim {

namespace {

namespace hyper {
enum : std::size_t { lr, momentum, dampening, decay };
}
enum : std::size_t { momentum_buffer, lost, momentum_left = lost };  // exact rows exclude compensated rounding

/// With Rows::exact: what is owed to a row of a sparse parameter; see detail::catch_up.
void catch_up(const Piece& row, std::span<const Now> missed) {
  using Scalars = optim_kernels::SgdScalars;
  float* const buffer = row.state(momentum_buffer);
  const optim_kernels::SgdColumns columns{.p = row.p, .g = row.g, .buf = buffer, .lost = nullptr};
  float none = 0.0f;
  detail::catch_up(
      row, missed, buffer != nullptr ? *row.state(momentum_left) : none, buffer, nullptr,
      [](const Now& now) { return now.get<Scalars>().l2 != 0.0f; },
      [&](const Now& now) {
        const auto scalars = now.get<Scalars>();
        optim_kernels::current().sgd(scalars, columns, row.n);
        return buffer != nullptr ? scalars.keep : 0.0f;
      },
      [](const Now& now) { return detail::Idle{.decay = now.get<Scalars>().decay, .beta2 = 0.0f}; });
}

template <class Options>
Definition define(const char* name, const Groups& groups, Hyper decay_hyper, const Options& options,
                  Decay decay = Decay::coupled) {
  const Predicate with_momentum = detail::where_not_zero(groups, "momentum", options.momentum);
  if (options.nesterov) {
    if (!with_momentum || !(options.dampening == Schedule(0.0))) {
      fail<ValueError>("{}: nesterov needs a momentum and no dampening, got momentum {} and dampening {}", name,
                       options.momentum.text(), options.dampening.text());
    }
    if (detail::where_not_zero(groups, "dampening", options.dampening)) {
      fail<ValueError>("{}: nesterov needs a momentum and no dampening, and a group sets one", name);
    }
  }
  if (detail::caution_of(options) && options.rounding == Rounding::torch_compat) {
    fail<ValueError>("{}: cautious steps do not go with Rounding::torch_compat", name);
  }
  if (options.rows == Rows::exact && (detail::caution_of(options) || options.rounding != Rounding::once)) {
    fail<ValueError>("{}: Rows::exact goes with Rounding::once, without cautious steps", name);
  }
  Definition result{.name = name,
                    .hypers = {{"lr", options.lr},
                               {"momentum", options.momentum, Hyper::Range::fraction},
                               {"dampening", options.dampening, Hyper::Range::any},
                               std::move(decay_hyper)},
                    .clip_norm = options.clip_norm,
                    .nonfinite = options.nonfinite,
                    .maximize = options.maximize,
                    .phases = detail::caution_of(options).phases(),
                    .rounding = options.rounding,
                    .decay = decay,
                    .variant = (options.nesterov ? ", nesterov" : "") + detail::caution_of(options).text(),
                    .rows = options.rows,
                    .catch_up = catch_up};
  const Predicate nobody = [](const Parameter&) { return false; };
  result.states.push_back({"momentum_buffer", StateSpec::Kind::f32, with_momentum ? with_momentum : nobody, true});
  if (options.rounding == Rounding::compensated) result.states.push_back({"lost", StateSpec::Kind::f32, {}, true});
  if (options.rows == Rows::exact && detail::any_sparse(groups)) {
    result.states.push_back({"momentum_left", StateSpec::Kind::rows, [with_momentum](const Parameter& parameter) {
                               return parameter.sparse() && with_momentum && with_momentum(parameter);
                             }});
    result.variant += ", exact rows";
  }
  return result;
}

}  // namespace

SGD::SGD(const Groups& groups, const SGDOptions& options)
    : Optimizer(groups, define("SGD", groups, {"l2", options.l2}, options)),
      nesterov_(options.nesterov),
      cautious_(options.cautious),
      decoupled_(false),
      rounding_(options.rounding),
      rows_(options.rows) {}

SGD::SGD(const Groups& groups, const SGDWOptions& options, Decay decay)
    : Optimizer(groups, define("SGDW", groups, {"weight_decay", options.weight_decay}, options, decay)),
      nesterov_(options.nesterov),
      cautious_(options.cautious),
      cautious_decay_(options.cautious_decay),
      decoupled_(true),
      decay_(decay),
      rounding_(options.rounding),
      rows_(options.rows) {}

void SGD::prepare(Now& now) const {
  const double rate = now.hyper[hyper::lr], mu = now.hyper[hyper::momentum];
  const double decayed = decoupled_ ? now.hyper[hyper::decay] * (decay_ == Decay::coupled ? rate : 1.0) : 0.0;
  // The momentum buffer starts as the first gradient, without dampening.
  const bool first = now.t == 1;
  now.put(optim_kernels::SgdScalars{
      .scale = static_cast<float>(now.scale),
      .l2 = static_cast<float>(decoupled_ ? 0.0 : now.hyper[hyper::decay]),
      .keep = static_cast<float>(first ? 0.0 : mu),
      .take = static_cast<float>(first ? 1.0 : 1.0 - now.hyper[hyper::dampening]),
      .direct = nesterov_ ? 1.0f : 0.0f,
      .through = static_cast<float>(nesterov_ ? mu : 1.0),
      .lr = static_cast<float>(rate),
      .decay = static_cast<float>(rounding_ == Rounding::torch_compat ? 1.0 - decayed : decayed),
  });
}

void SGD::update(const Piece& piece) const {
  if (piece.row >= 0 && rows_ == Rows::exact && piece.memory[momentum_buffer] != nullptr) {
    *piece.state(momentum_left) = 1.0f;
  }
  const auto& table = optim_kernels::current();
  const optim_kernels::SgdColumns columns{
      .p = piece.p,
      .g = piece.g,
      .buf = piece.state(momentum_buffer),
      .lost = rounding_ == Rounding::compensated ? piece.state(lost) : nullptr,
  };
  const auto scalars = piece.now.get<optim_kernels::SgdScalars>();
  if (cautious_ || cautious_decay_) {
    detail::take(
        piece, {cautious_, cautious_decay_}, static_cast<double>(scalars.lr), static_cast<double>(scalars.decay),
        [&](const optim_kernels::TakeScalars& take) { return table.sgd_take(scalars, take, columns, piece.n); });
    return;
  }
  (rounding_ == Rounding::torch_compat ? table.sgd_torch : table.sgd)(scalars, columns, piece.n);
}

}  // namespace temper::optim
