#include <temper/optim/muon.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

#include <temper/core/parallel.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/kernels/matmul.hpp"
#include "optim/adam_internal.hpp"
#include "optim/kernels/table.hpp"
#include "optim/plan_internal.hpp"

namespace temper::optim {

namespace {

namespace hyper {
enum : std::size_t { lr, momentum, weight_decay, adamw_scale, beta1, beta2, eps };
}
enum : std::size_t { momentum_buffer, exp_avg, exp_avg_sq };

bool is_matrix(const Parameter& parameter) { return parameter.shape().rank() == 2 && parameter.role() == Role::weight; }

Predicate matrices(const Groups& groups, const MuonOptions& options) {
  std::vector<Parameter> all;
  for (const Group& group : groups) all.insert(all.end(), group.parameters.begin(), group.parameters.end());
  return [adamw = options.adamw ? options.adamw : output_layers(all)](const Parameter& parameter) {
    return is_matrix(parameter) && !adamw(parameter);
  };
}

Definition define(const Groups& groups, const MuonOptions& options) {
  if (options.steps < 1) fail<ValueError>("Muon: {} Newton-Schulz steps, expected at least 1", options.steps);
  const Predicate muon = matrices(groups, options);
  const Predicate rest = [muon](const Parameter& parameter) { return !muon(parameter); };
  using Kind = StateSpec::Kind;
  return {
      .name = "Muon",
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
      .variant = fmt::format("{}, {} steps, {} scale", options.nesterov ? ", nesterov" : "", options.steps,
                             options.scale == MuonScale::spectral ? "spectral" : "AdamW's"),
      .second_moment = "beta2"};
}

/// x [rows, columns] becomes nearly the closest orthogonal matrix: singular values between 0.7 and 1.2.
void orthogonalize(float* x, std::int64_t rows, std::int64_t columns, int steps) {
  constexpr float a = 3.4445f, b = -4.7750f, c = 2.0315f;
  const auto& table = optim_kernels::current();
  const bool wide = rows <= columns;
  const std::int64_t side = std::min(rows, columns), length = std::max(rows, columns);
  const kernels::Matmul gram_of{
      .m = side, .n = side, .k = length, .transpose_a = !wide, .transpose_b = wide};  // on the short side
  const kernels::Matmul square_of{.m = side, .n = side, .k = side};
  const kernels::Matmul product_of{.m = rows, .n = columns, .k = side};

  Tensor gram = empty({side, side}), factor = empty({side, side}), other = empty({rows, columns});
  float *const g = gram.mutable_data<float>(), *const f = factor.mutable_data<float>();
  float *from = x, *to = other.mutable_data<float>();
  // The result is to be in x.
  if (steps % 2 == 1) std::swap(from, to);

  const double norm = std::sqrt(table.sum_squares(x, rows * columns));
  const auto per_norm = static_cast<float>(1.0 / (norm + 1e-7));
  parallel_for(rows * columns, detail::piece_size, [&](std::int64_t begin, std::int64_t end) {
    table.scale(x + begin, per_norm, from + begin, end - begin);
  });
  for (int step = 0; step < steps; ++step) {
    kernels::matmul(gram_of, from, from, nullptr, g);
    kernels::matmul(square_of, g, g, nullptr, f);
    // a I + b G + c G^2, by which x is multiplied at once
    parallel_for(side * side, detail::piece_size,
                 [&](std::int64_t begin, std::int64_t end) { table.mix(f + begin, c, g + begin, b, end - begin); });
    for (std::int64_t i = 0; i < side; ++i) f[i * side + i] += a;
    kernels::matmul(product_of, wide ? f : from, wide ? from : f, nullptr, to);
    std::swap(from, to);
  }
}

}  // namespace

Predicate output_layers(const std::vector<Parameter>& parameters) {
  const void* last = nullptr;
  std::size_t count = 0;
  for (const Parameter& parameter : parameters) {
    if (!parameter.defined() || !is_matrix(parameter)) continue;
    last = parameter.id();
    ++count;
  }
  std::vector<Predicate> patterns;
  for (const char* name : {"head", "lm_head", "classifier"}) {
    patterns.push_back(named(fmt::format("{}.*", name)));
    patterns.push_back(named(fmt::format("*.{}.*", name)));
  }
  return [last = count > 1 ? last : nullptr, patterns = std::move(patterns)](const Parameter& parameter) {
    return parameter.id() == last ||
           std::any_of(patterns.begin(), patterns.end(), [&](const Predicate& matches) { return matches(parameter); });
  };
}

Muon::Muon(const Groups& groups, const MuonOptions& options)
    : Optimizer(groups, define(groups, options)),
      nesterov_(options.nesterov),
      decay_(options.decay),
      scale_(options.scale),
      steps_(options.steps) {
  for (const Group& group : this->groups()) {
    for (const Parameter& parameter : group.parameters) {
      double scale = 0.0;
      if (definition().whole(parameter)) {
        const auto rows = static_cast<double>(parameter.shape()[0]),
                   columns = static_cast<double>(parameter.shape()[1]);
        scale = scale_ == MuonScale::spectral ? std::sqrt(std::max(1.0, rows / columns))
                                              : 0.2 * std::sqrt(std::max(rows, columns));
      }
      scales_.push_back(static_cast<float>(scale));
    }
  }
}

void Muon::prepare(Now& now) const {
  const double rate = now.hyper[hyper::lr] * now.hyper[hyper::adamw_scale];
  const double decay = now.hyper[hyper::weight_decay] * (decay_ == Decay::coupled ? rate : 1.0);
  now.put(detail::adam_scalars(now, hyper::beta1, rate, decay));
}

void Muon::transform(const Whole& whole) const {
  const std::int64_t rows = whole.shape[0], columns = whole.shape[1];
  if (rows * columns == 0) return;
  const auto mu = static_cast<float>(whole.now.hyper[hyper::momentum]);
  const auto rest = static_cast<float>((1.0 - whole.now.hyper[hyper::momentum]) * whole.now.scale);
  float* const buffer = whole.memory[momentum_buffer];
  const auto direction = optim_kernels::current().muon_direction;
  parallel_for(rows * columns, detail::piece_size, [&](std::int64_t begin, std::int64_t end) {
    direction(whole.g + begin, buffer + begin, mu, rest, nesterov_, end - begin);
  });
  orthogonalize(whole.g, rows, columns, steps_);
}

void Muon::update(const Piece& piece) const {
  const auto& table = optim_kernels::current();
  const auto adam = piece.now.get<optim_kernels::AdamScalars>();
  if (piece.memory[momentum_buffer] == nullptr) {
    table.adam(adam, {piece.p, piece.g, piece.state(exp_avg), piece.state(exp_avg_sq), nullptr, nullptr}, piece.n);
    return;
  }
  const double lr = piece.now.hyper[hyper::lr];
  const double decay = piece.now.hyper[hyper::weight_decay] * (decay_ == Decay::coupled ? lr : 1.0);
  const optim_kernels::SgdScalars scalars{.scale = scales_[piece.parameter],
                                          .l2 = 0.0f,
                                          .keep = 0.0f,
                                          .take = 1.0f,
                                          .direct = 0.0f,
                                          .through = 1.0f,
                                          .lr = static_cast<float>(lr),
                                          .decay = static_cast<float>(decay)};
  table.sgd(scalars, {.p = piece.p, .g = piece.g, .buf = nullptr, .lost = nullptr}, piece.n);
}

}  // namespace temper::optim
