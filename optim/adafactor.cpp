#include <temper/optim/adafactor.hpp>

#include <algorithm>
#include <cmath>

#include <temper/core/parallel.hpp>

#include "framework/core/format_internal.hpp"
#include "optim/group_internal.hpp"
#include "optim/kernels/table.hpp"
#include "optim/plan_internal.hpp"
#include "optim/take_internal.hpp"

namespace temper::optim {

namespace {

namespace hyper {
enum : std::size_t { lr, beta1, decay_exponent, eps1, eps2, clip_threshold, weight_decay };
}
enum : std::size_t { row_moments, column_moments, moments, momentum };

/// Sums over rows are split into this many parts, independent of the number of threads.
constexpr std::int64_t parts = 16;

bool factored(const Parameter& parameter) { return parameter.shape().rank() >= 2; }

Definition define(const Groups& groups, const AdafactorOptions& options) {
  using Kind = StateSpec::Kind;
  Definition result{.name = "Adafactor",
                    .hypers = {{"lr", options.lr},
                               {"beta1", options.beta1, Hyper::Range::fraction},
                               {"decay_exponent", options.decay_exponent},
                               {"eps1", options.eps1},
                               {"eps2", options.eps2},
                               {"clip_threshold", options.clip_threshold},
                               {"weight_decay", options.weight_decay}},
                    .states = {{"exp_avg_sq_row", Kind::rows, factored},
                               {"exp_avg_sq_col", Kind::columns, factored},
                               {"exp_avg_sq", Kind::f32, [](const Parameter& p) { return !factored(p); }}},
                    .clip_norm = options.clip_norm,
                    .nonfinite = options.nonfinite,
                    .maximize = options.maximize,
                    .phases = 2,
                    .whole = anything(),
                    .decay = options.decay,
                    .variant = fmt::format("{}{}{}", options.relative_step ? ", relative step" : "",
                                           options.scale_parameter ? ", parameter scale" : "",
                                           detail::Caution{false, options.cautious_decay}.text())};
  const Predicate with_momentum = detail::where_not_zero(groups, "beta1", options.beta1);
  if (with_momentum) result.states.push_back({"exp_avg", Kind::f32, with_momentum, true});
  return result;
}

/// Updates the row and column moments with g [rows, columns] times `scale`, and divides g by the root of the second
/// moment that they approximate.
void divide_by_root(const Whole& whole, float scale, double keep, double eps) {
  const auto& table = optim_kernels::current();
  const std::int64_t rows = whole.shape[0], columns = whole.shape.numel() / rows;
  float *const row = whole.memory[row_moments], *const column = whole.memory[column_moments];
  const std::int64_t grain = chunk_count(rows, parts);
  Tensor partial = zeros({chunk_count(rows, grain), columns});
  float* const sums = partial.mutable_data<float>();
  const double square = static_cast<double>(scale) * static_cast<double>(scale);
  parallel_chunks(rows, grain, [&](std::int64_t part, std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const float* g = whole.g + i * columns;
      const double mean = square * table.sum_squares(g, columns) / static_cast<double>(columns) + eps;
      row[i] = static_cast<float>(keep * static_cast<double>(row[i]) + (1.0 - keep) * mean);
      table.add_squares(sums + part * columns, g, scale, columns);
    }
  });
  double rows_mean = 0.0;
  for (std::int64_t i = 0; i < rows; ++i) rows_mean += static_cast<double>(row[i]);
  rows_mean /= static_cast<double>(rows);
  float* const factors = sums;  // of the columns; overwrites the first part
  for (std::int64_t j = 0; j < columns; ++j) {
    double sum = 0.0;
    for (std::int64_t part = 0; part < partial.size(0); ++part) sum += static_cast<double>(sums[part * columns + j]);
    const double moment =
        keep * static_cast<double>(column[j]) + (1.0 - keep) * (sum / static_cast<double>(rows) + eps);
    column[j] = static_cast<float>(moment);
    factors[j] = static_cast<float>(1.0 / std::sqrt(moment));
  }
  parallel_for(rows, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const double factor = static_cast<double>(scale) / std::sqrt(static_cast<double>(row[i]) / rows_mean);
      table.multiply(whole.g + i * columns, factors, static_cast<float>(factor), columns);
    }
  });
}

}  // namespace

Adafactor::Adafactor(const Groups& groups, const AdafactorOptions& options)
    : Optimizer(groups, define(groups, options)),
      relative_step_(options.relative_step),
      scale_parameter_(options.scale_parameter),
      decay_(options.decay),
      cautious_decay_(options.cautious_decay) {}

void Adafactor::transform(const Whole& whole) const {
  const std::int64_t n = whole.shape.numel();
  if (n == 0) return;
  const double keep = 1.0 - std::pow(static_cast<double>(whole.now.t), -whole.now.hyper[hyper::decay_exponent]);
  const double eps = whole.now.hyper[hyper::eps1];
  const auto scale = static_cast<float>(whole.now.scale);
  if (whole.memory[row_moments] != nullptr) {
    divide_by_root(whole, scale, keep, eps);
    return;
  }
  const auto divide = optim_kernels::current().divide_by_root;
  parallel_for(n, detail::piece_size, [&](std::int64_t begin, std::int64_t end) {
    divide(whole.g + begin, whole.memory[moments] + begin, scale, static_cast<float>(keep),
           static_cast<float>(1.0 - keep), static_cast<float>(eps), end - begin);
  });
}

void Adafactor::update(const Piece& piece) const {
  const auto& table = optim_kernels::current();
  if (piece.phase == 0) {
    piece.sums = {table.sum_squares(piece.g, piece.n), table.sum_squares(piece.p, piece.n)};
    return;
  }
  const auto& now = piece.now.hyper;
  const auto size = static_cast<double>(piece.size);
  const double threshold = now[hyper::clip_threshold];
  const double over = threshold > 0.0 ? std::sqrt(piece.totals[0] / size) / threshold : 0.0;
  double rate = now[hyper::lr];
  if (relative_step_) rate = std::min(rate, 1.0 / std::sqrt(static_cast<double>(piece.now.t)));
  if (scale_parameter_) rate *= std::max(now[hyper::eps2], std::sqrt(piece.totals[1] / size));
  const double decay = now[hyper::weight_decay] * (decay_ == Decay::coupled ? now[hyper::lr] : 1.0);
  // The momentum averages updates that include the learning rate, as in the authors' code.
  const optim_kernels::SgdScalars scalars{.scale = static_cast<float>(rate / std::max(1.0, over)),
                                          .l2 = 0.0f,
                                          .keep = static_cast<float>(now[hyper::beta1]),
                                          .take = static_cast<float>(1.0 - now[hyper::beta1]),
                                          .direct = 0.0f,
                                          .through = 1.0f,
                                          .lr = 1.0f,
                                          .decay = static_cast<float>(decay)};
  const optim_kernels::SgdColumns columns{.p = piece.p, .g = piece.g, .buf = piece.state(momentum), .lost = nullptr};
  if (cautious_decay_) {
    detail::take(piece, {false, true}, 1.0, decay, [&](const optim_kernels::TakeScalars& take) {
      return table.sgd_take(scalars, take, columns, piece.n);
    });
  } else {
    table.sgd(scalars, columns, piece.n);
  }
}

}  // namespace temper::optim
