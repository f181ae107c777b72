#include <temper/optim/muon.hpp>

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include <temper/core/parallel.hpp>

#include "framework/core/format_internal.hpp"
#include "optim/adam_internal.hpp"
#include "optim/kernels/table.hpp"
#include "optim/newton_schulz_internal.hpp"
#include "optim/plan_internal.hpp"
#include "optim/take_internal.hpp"

namespace temper::optim {

namespace {

namespace hyper {
enum : std::size_t { lr, momentum, weight_decay, adamw_scale, beta1, beta2, eps, row_beta, floor };
}
enum : std::size_t { momentum_buffer, exp_avg, exp_avg_sq, row_moment, column_moment };

constexpr std::int64_t max_aspect = 128;  // of the matrices that Muon updates

bool is_weight(const Parameter& parameter) {
  return parameter.defined() && parameter.role() == Role::weight && parameter.shape().rank() >= 2;
}
std::int64_t rows_of(const Parameter& parameter) { return parameter.shape()[0]; }
std::int64_t columns_of(const Parameter& parameter) {
  return rows_of(parameter) > 0 ? parameter.shape().numel() / rows_of(parameter) : 0;
}

std::vector<Parameter> all_of(const Groups& groups) {
  std::vector<Parameter> all;
  for (const Group& group : groups) all.insert(all.end(), group.parameters.begin(), group.parameters.end());
  return all;
}

/// The number of rows of each matrix in a weight. Throws: ValueError unless they add up to the weight's rows.
std::vector<std::int64_t> blocks_of(const RowBlocks& row_blocks, const Parameter& parameter) {
  std::vector<std::int64_t> rows = row_blocks ? row_blocks(parameter) : std::vector<std::int64_t>();
  if (rows.empty()) return {rows_of(parameter)};
  if (std::accumulate(rows.begin(), rows.end(), std::int64_t{0}) != rows_of(parameter) ||
      std::any_of(rows.begin(), rows.end(), [](std::int64_t n) { return n < 1; })) {
    fail<ValueError>("Muon: '{}' {} has row blocks of [{}], expected positive numbers that add up to {}",
                     parameter.name(), parameter.shape(), fmt::join(rows, ", "), rows_of(parameter));
  }
  return rows;
}

/// Whether NorMuon keeps mean squares per row, or else per column: per row unless there are fewer rows than columns, or
/// if the weight is several matrices, because these have columns in common.
bool by_rows(const RowBlocks& row_blocks, const Parameter& parameter) {
  return rows_of(parameter) >= columns_of(parameter) || blocks_of(row_blocks, parameter).size() > 1;
}

template <class Options>
Definition define(const char* name, const Groups& groups, const Options& options) {
  if (options.steps < 0) fail<ValueError>("{}: {} Newton-Schulz steps, expected at least 1, or 0", name, options.steps);
  const Predicate muon = options.adamw
                             ? [adamw = options.adamw](const Parameter& p) { return is_weight(p) && !adamw(p); }
                             : hidden_matrices(all_of(groups));
  const Predicate rest = [muon](const Parameter& parameter) { return !muon(parameter); };
  using Kind = StateSpec::Kind;
  const int steps = options.steps > 0 ? options.steps : detail::usual_steps(options.iteration);
  Definition result{
      .name = name,
      .hypers = {{"lr", options.lr},
                 {"momentum", options.momentum, Hyper::Range::fraction},
                 {"weight_decay", options.weight_decay},
                 {"adamw_scale", options.adamw_scale},
                 {"beta1", options.beta1, Hyper::Range::fraction},
                 {"beta2", options.beta2, Hyper::Range::fraction},
                 {"eps", options.eps}},
      .states = {{"momentum_buffer", Kind::f32, muon}, {"exp_avg", Kind::f32, rest}, {"exp_avg_sq", Kind::f32, rest}},
      .clip_norm = options.clip_norm,
      .nonfinite = options.nonfinite,
      .maximize = options.maximize,
      .whole = muon,
      .decay = options.decay,
      .variant = fmt::format("{}, {} steps{}, {} scale{}", options.nesterov ? ", nesterov" : "", steps,
                             options.iteration == NewtonSchulz::exact           ? " (exact)"
                             : options.iteration == NewtonSchulz::polar_express ? " (Polar Express)"
                                                                                : "",
                             options.scale == MuonScale::spectral ? "spectral" : "AdamW's",
                             detail::caution_of(options).text()),
      .second_moment = "beta2"};
  if constexpr (requires { options.row_beta; }) {
    result.hypers.push_back({"row_beta", options.row_beta, Hyper::Range::fraction});
    result.hypers.push_back({"floor", options.floor});
    result.states.push_back({"row_moment", Kind::rows, [muon, blocks = options.row_blocks](const Parameter& p) {
                               return muon(p) && by_rows(blocks, p);
                             }});
    result.states.push_back({"column_moment", Kind::columns, [muon, blocks = options.row_blocks](const Parameter& p) {
                               return muon(p) && !by_rows(blocks, p);
                             }});
  }
  return result;
}

}  // namespace

Predicate output_layers(const std::vector<Parameter>& parameters) {
  const Parameter* last = nullptr;
  std::size_t count = 0;
  for (const Parameter& parameter : parameters) {
    if (!is_weight(parameter) || parameter.shape().rank() != 2) continue;
    last = &parameter;
    ++count;
  }
  // An output that shares the embedding's weight is not in the list: then the last weight gives what the embedding takes.
  const bool tied = std::any_of(parameters.begin(), parameters.end(), [&](const Parameter& parameter) {
    return parameter.role() == Role::embedding && last != nullptr && parameter.shape().rank() == 2 &&
           parameter.shape()[1] == last->shape()[0];
  });
  std::vector<Predicate> patterns;
  for (const char* name : {"head", "lm_head", "classifier"}) {
    patterns.push_back(named(fmt::format("{}.*", name)));
    patterns.push_back(named(fmt::format("*.{}.*", name)));
  }
  return [last = count > 1 && !tied ? last->id() : nullptr, patterns = std::move(patterns)](const Parameter& parameter) {
    return parameter.id() == last ||
           std::any_of(patterns.begin(), patterns.end(), [&](const Predicate& matches) { return matches(parameter); });
  };
}

Predicate hidden_matrices(const std::vector<Parameter>& parameters) {
  const auto first = std::find_if(parameters.begin(), parameters.end(),
                                  [](const Parameter& p) { return is_weight(p) && p.shape().rank() > 2; });
  return [output = output_layers(parameters),
          first = first == parameters.end() ? nullptr : first->id()](const Parameter& parameter) {
    if (!is_weight(parameter) || output(parameter) || parameter.id() == first) return false;
    if (parameter.shape().rank() > 2 && parameter.shape()[1] == 1) return false;  // depthwise
    const std::int64_t rows = rows_of(parameter), columns = columns_of(parameter);
    return std::max(rows, columns) <= max_aspect * std::min(rows, columns);
  };
}

RowBlocks attention_projections() {
  return [is = named("in_proj_weight"), ends = named("*.in_proj_weight")](const Parameter& parameter) {
    const std::int64_t rows = rows_of(parameter);
    return (is(parameter) || ends(parameter)) && rows % 3 == 0 ? std::vector<std::int64_t>(3, rows / 3)
                                                               : std::vector<std::int64_t>();
  };
}

Groups muon_groups(const std::vector<Parameter>& parameters) {
  return assign(parameters, {{hidden_matrices(parameters), {.name = "matrices"}},
                             {has_role({Role::embedding}), {.name = "embeddings", .lr_scale = 28.0}},
                             {output_layers(parameters), {.name = "output", .lr_scale = 0.16}},
                             {anything(), {.name = "others", .lr_scale = 0.6, .set = {{"weight_decay", 0.0}}}}});
}

Muon::Muon(const Groups& groups, const MuonOptions& options)
    : Optimizer(groups, define("Muon", groups, options)),
      nesterov_(options.nesterov),
      cautious_decay_(options.cautious_decay),
      decay_(options.decay),
      scale_(options.scale),
      iteration_(options.iteration),
      steps_(options.steps > 0 ? options.steps : detail::usual_steps(options.iteration)) {
  find_blocks(options.row_blocks);
}

Muon::Muon(const Groups& groups, const NorMuonOptions& options, Normalized)
    : Optimizer(groups, define("NorMuon", groups, options)),
      nesterov_(options.nesterov),
      normalizes_(true),
      cautious_decay_(options.cautious_decay),
      decay_(options.decay),
      scale_(options.scale),
      iteration_(options.iteration),
      steps_(options.steps > 0 ? options.steps : detail::usual_steps(options.iteration)) {
  find_blocks(options.row_blocks);
}

void Muon::find_blocks(const RowBlocks& row_blocks) {
  for (const Parameter& parameter : all_of(groups())) {
    auto& blocks = blocks_.emplace_back();
    if (!definition().whole(parameter)) continue;
    std::int64_t begin = 0;
    for (const std::int64_t height : blocks_of(row_blocks, parameter)) {
      const auto rows = static_cast<double>(height), columns = static_cast<double>(columns_of(parameter));
      const double scale = scale_ == MuonScale::spectral ? std::sqrt(std::max(1.0, rows / columns))
                                                         : 0.2 * std::sqrt(std::max(rows, columns));
      blocks.push_back({begin, height, columns_of(parameter), scale});
      begin += height;
    }
  }
}

void Muon::prepare(Now& now) const {
  const double rate = now.hyper[hyper::lr] * now.hyper[hyper::adamw_scale];
  const double decay = now.hyper[hyper::weight_decay] * (decay_ == Decay::coupled ? rate : 1.0);
  now.put(detail::adam_scalars(now, hyper::beta1, rate, decay));
}

void Muon::transform(const Whole& whole) const {
  const std::int64_t n = whole.shape.numel();
  if (n == 0) return;
  const auto mu = static_cast<float>(whole.now.hyper[hyper::momentum]);
  const auto rest = static_cast<float>((1.0 - whole.now.hyper[hyper::momentum]) * whole.now.scale);
  float* const buffer = whole.memory[momentum_buffer];
  const auto direction = optim_kernels::current().muon_direction;
  parallel_for(n, detail::piece_size, [&](std::int64_t begin, std::int64_t end) {
    direction(whole.g + begin, buffer + begin, mu, rest, nesterov_, end - begin);
  });
  for (const Block& block : blocks_[whole.parameter]) {
    if (block.rows * block.columns == 0) continue;
    detail::orthogonalize(whole.g + block.begin * block.columns, block.rows, block.columns, iteration_, steps_,
                          block.scale);
    if (normalizes_) normalize(whole, block);
  }
}

void Muon::normalize(const Whole& whole, const Block& block) const {
  constexpr double min_moment = 1e-10;
  const auto& table = optim_kernels::current();
  const std::int64_t rows = block.rows, columns = block.columns, size = rows * columns;
  float* const u = whole.g + block.begin * columns;
  const double keep = whole.now.hyper[hyper::row_beta];
  // Moments are those of the matrix before scaling, so that min_moment has the same meaning for all matrices.
  const double unit = 1.0 / (block.scale * block.scale);
  const double before = table.sum_squares(u, size);
  if (float* const moments = whole.memory[row_moment]) {
    for (std::int64_t i = 0; i < rows; ++i) {
      float& v = moments[block.begin + i];
      const double mean = unit * table.sum_squares(u + i * columns, columns) / static_cast<double>(columns);
      v = static_cast<float>(keep * static_cast<double>(v) + (1.0 - keep) * mean);
      const double factor = 1.0 / std::sqrt(std::max(static_cast<double>(v), min_moment));
      table.scale(u + i * columns, static_cast<float>(factor), u + i * columns, columns);
    }
  } else {
    float* const moments_of_columns = whole.memory[column_moment];
    std::vector<double> sums(static_cast<std::size_t>(columns));
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < columns; ++j) {
        const auto x = static_cast<double>(u[i * columns + j]);
        sums[static_cast<std::size_t>(j)] += x * x;
      }
    }
    std::vector<float> factors(sums.size());
    for (std::size_t j = 0; j < sums.size(); ++j) {
      float& v = moments_of_columns[j];
      v = static_cast<float>(keep * static_cast<double>(v) + (1.0 - keep) * unit * sums[j] / static_cast<double>(rows));
      factors[j] = static_cast<float>(1.0 / std::sqrt(std::max(static_cast<double>(v), min_moment)));
    }
    for (std::int64_t i = 0; i < rows; ++i) table.multiply(u + i * columns, factors.data(), 1.0f, columns);
  }
  const double after = table.sum_squares(u, size);
  double factor = after > 0.0 ? std::sqrt(before / after) : 1.0;
  const double floor = whole.now.hyper[hyper::floor], norm = std::sqrt(before);
  if (floor > 0.0 && norm > 0.0) {
    const double min_norm = floor * std::sqrt(table.sum_squares(whole.p + block.begin * columns, size));
    factor *= std::max(1.0, min_norm / norm);
  }
  table.scale(u, static_cast<float>(factor), u, size);
}

void Muon::update(const Piece& piece) const {
  const auto& table = optim_kernels::current();
  const auto adam = piece.now.get<optim_kernels::AdamScalars>();
  const detail::Caution caution{false, cautious_decay_};
  if (piece.memory[momentum_buffer] == nullptr) {
    const optim_kernels::AdamColumns columns{piece.p, piece.g, piece.state(exp_avg), piece.state(exp_avg_sq),
                                             nullptr, nullptr};
    if (!caution) {
      table.adam(adam, columns, piece.n);
      return;
    }
    detail::take(
        piece, caution, static_cast<double>(adam.rate), static_cast<double>(adam.decay),
        [&](const optim_kernels::TakeScalars& take) { return table.adam_take(adam, take, false, columns, piece.n); });
    return;
  }
  const double lr = piece.now.hyper[hyper::lr];
  const double decay = piece.now.hyper[hyper::weight_decay] * (decay_ == Decay::coupled ? lr : 1.0);
  const optim_kernels::SgdScalars scalars{.scale = 1.0f,
                                          .l2 = 0.0f,
                                          .keep = 0.0f,
                                          .take = 1.0f,
                                          .direct = 0.0f,
                                          .through = 1.0f,
                                          .lr = static_cast<float>(lr),
                                          .decay = static_cast<float>(decay)};
  const optim_kernels::SgdColumns columns{.p = piece.p, .g = piece.g, .buf = nullptr, .lost = nullptr};
  if (!caution) {
    table.sgd(scalars, columns, piece.n);
    return;
  }
  detail::take(piece, caution, lr, decay,
               [&](const optim_kernels::TakeScalars& take) { return table.sgd_take(scalars, take, columns, piece.n); });
}

}  // namespace temper::optim
