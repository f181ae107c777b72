#include <temper/optim/adagrad.hpp>

#include <cmath>

#include "framework/core/format_internal.hpp"
#include "optim/group_internal.hpp"
#include "optim/kernels/table.hpp"
#include "optim/rows_internal.hpp"

namespace temper::optim {

namespace {

namespace hyper {
enum : std::size_t { lr, lr_decay, eps, l2, initial };
}

enum : std::size_t { sum, row_sum };  // states

Definition define(const Groups& groups, const AdagradOptions& options) {
  if (options.row_wise && detail::where_not_zero(groups, "l2", options.l2)) {
    fail<ValueError>("Adagrad: row_wise goes without l2, got {}", options.l2.text());
  }
  Definition result{.name = "Adagrad",
                    .hypers = {{"lr", options.lr},
                               {"lr_decay", options.lr_decay},
                               {"eps", options.eps},
                               {"l2", options.l2},
                               {"initial", options.initial}},
                    .states = {"sum"},
                    .clip_norm = options.clip_norm,
                    .nonfinite = options.nonfinite,
                    .maximize = options.maximize,
                    .rows = Rows::lazy};
  if (options.row_wise && detail::any_sparse(groups)) {
    result.states[sum].owners = [](const Parameter& parameter) { return !parameter.sparse(); };
    result.states.push_back({"row_sum", StateSpec::Kind::rows, detail::is_sparse});
    result.variant = ", row-wise";
  }
  return result;
}

}  // namespace

Adagrad::Adagrad(const Groups& groups, const AdagradOptions& options)
    : Optimizer(groups, define(groups, options)), row_wise_(options.row_wise) {}

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
  const auto& table = optim_kernels::current();
  auto scalars = piece.now.get<optim_kernels::AdagradScalars>();
  // A row begins with its own first gradient.
  if (piece.row >= 0) scalars.start = static_cast<float>(piece.now.hyper[hyper::initial]);
  if (piece.row < 0 || !row_wise_) {
    if (piece.row >= 0 && piece.state(sum)[0] != 0.0f) scalars.start = 0.0f;
    table.adagrad(scalars, piece.p, piece.g, piece.state(sum), piece.n);
    return;
  }
  float& squares = *piece.state(row_sum);
  const auto scale = static_cast<double>(scalars.scale);
  const double mean = scale * scale * table.sum_squares(piece.g, piece.n) / static_cast<double>(piece.n);
  squares = static_cast<float>(static_cast<double>(squares == 0.0f ? scalars.start : squares) + mean);
  table.sgd({.scale = scalars.scale,
             .l2 = 0.0f,
             .keep = 0.0f,
             .take = 0.0f,
             .direct = 0.0f,
             .through = 0.0f,
             .lr = scalars.rate / (std::sqrt(squares) + scalars.eps),
             .decay = 0.0f},
            {.p = piece.p, .g = piece.g, .buf = nullptr, .lost = nullptr}, piece.n);
}

}  // namespace temper::optim
