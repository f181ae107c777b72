// A step of an optimizer: evaluates schedules, reads gradients, updates parameters, and reports.

#include <algorithm>
#include <cmath>

#include <temper/core/parallel.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/tensor/bytes_internal.hpp"
#include "optim/engine_internal.hpp"
#include "optim/kernels/denormals.hpp"
#include "optim/kernels/table.hpp"

namespace temper::optim {

namespace {

constexpr std::int64_t block = optim_kernels::narrow_block;
static_assert(detail::piece_size % block == 0);

/// The offset in bytes of the state of element `begin`.
std::int64_t state_offset(StateSpec::Kind kind, std::int64_t begin) {
  switch (kind) {
    case StateSpec::Kind::f32: return begin * 4;
    case StateSpec::Kind::bf16: return begin * 2;
    case StateSpec::Kind::codes8: return begin;
    case StateSpec::Kind::units: return begin / block * 4;
    case StateSpec::Kind::rows:
    case StateSpec::Kind::columns:
    case StateSpec::Kind::rows_squared:
    case StateSpec::Kind::columns_squared: return 0;
  }
  return 0;
}

/// Prefetches the first cache lines of the next tensor. The CPU's own prefetcher finds the lines after these, but not
/// the beginning of a tensor, and of thousands of small tensors most lines are beginnings.
void prefetch(const void* begin) {
  for (int line = 0; line < 4; ++line) __builtin_prefetch(static_cast<const char*>(begin) + line * 64);
}

}  // namespace

StepReport Optimizer::Engine::step(const StepOptions& options) {
  if (!(options.divide_by > 0.0) || !std::isfinite(options.divide_by)) {
    fail<ValueError>("{}: divide_by is {}, expected a positive number", definition_.name, options.divide_by);
  }
  check_not_swapped();
  options_ = options;
  report_ = {.k = k_};
  evaluate();
  follow_values();
  find_active();
  if (active_.empty()) {
    if (options.require_gradient && !std::ranges::all_of(slots_, [](const Slot& s) { return s.parameter.frozen(); })) {
      fail<ValueError>(
          "{}: step() found no gradient: none of its {} parameters got one since the last step; was backward() called, "
          "and does the loss depend on them? (StepOptions{{.require_gradient = false}} allows it)",
          definition_.name, slots_.size());
    }
    return report_;
  }

  run();
  if (reads_ && !report_.bad.empty() && definition_.nonfinite == NonFinite::zero) {
    const std::string_view bad = report_.bad;
    zero_bad_gradients();
    run();
    report_.bad = bad;
  }
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  if (!writes_ && definition_.nonfinite != NonFinite::skip) {
    fail<ValueError>("{}: the gradient of '{}' is not finite at k = {}; nothing was updated", definition_.name,
                     report_.bad, k_);
  }
  commit();
  return report_;
}

/// Evaluates all schedules at k, so that a value out of range is found before anything changes.
void Optimizer::Engine::evaluate() {
  for (std::size_t group = 0; group < groups_.size(); ++group) {
    for (std::size_t i = 0; i < definition_.hypers.size(); ++i) values_[group][i] = hyper(i, group, k_);
  }
  evaluate_clipping();
  average_weight_ = average_weight();
  reads_ = clips_any_ || definition_.nonfinite != NonFinite::unchecked;
}

void Optimizer::Engine::evaluate_clipping() {
  clips_any_ = false;
  for (std::size_t i = 0; i < clip_norms_.size(); ++i) {
    double norm = no_clipping;
    if (i == 0) norm = definition_.clip_norm(k_);
    if (i > 0 && clipping_[i - 1]) norm = (*clipping_[i - 1])(k_);
    if (!(norm > 0.0)) {
      fail<ValueError>("{}: clip_norm is {} at k = {}, expected a positive number", definition_.name, norm, k_);
    }
    clip_norms_[i] = norm;
    clips_[i] = 1.0;
    clips_any_ = clips_any_ || norm < no_clipping;
  }
}

/// Parameters must keep their dtype, because masters and moments were made for it.
void Optimizer::Engine::check_values() const {
  for (const Slot& slot : slots_) {
    if (slot.parameter.sparse() != slot.sparse) {
      fail<ValueError>("{}: parameter '{}' became sparse after the optimizer was made; make the optimizer after that",
                       definition_.name, slot.label);
    }
    const Dtype was = slot.master.defined() ? Dtype::bf16 : Dtype::f32, is = slot.parameter.stored().dtype();
    if (is == was) continue;
    fail<ValueError>(
        "{}: parameter '{}' is {} now, and was {} when the optimizer was made; make the optimizer after that",
        definition_.name, slot.label, is, was);
  }
}

/// Finds the bf16 parameters that were given another value, whose addresses have changed.
void Optimizer::Engine::follow_values() {
  check_values();
  if (!has_masters_) return;
  for (Slot& slot : slots_) {
    if (!slot.master.defined()) continue;
    const Tensor& value = slot.parameter.stored();
    if (slot.copy.data<BFloat16>() == value.data<BFloat16>()) continue;
    slot.copy = value;
    slot.version = ~0u;
    active_.clear();
  }
}

/// Finds the parameters that have a gradient. Mostly they are those of the step before, whose addresses are reused.
void Optimizer::Engine::find_active() {
  std::size_t count = 0;
  bool same = true;
  for (Slot& slot : slots_) {
    if (!slot.parameter.has_gradient()) continue;
    if (slot.parameter.frozen()) {
      slot.parameter.discard_gradient();
      continue;
    }
    const Tensor& gradient = slot.gradient();
    same = same && count < active_.size() && active_[count].slot == &slot && active_[count].size == gradient.numel() &&
           active_[count].p == slot.weights().data<float>();
    if (same) {
      active_[count].g = gradient.data<float>();
      if (slot.sparse) active_[count].rows = slot.parameter.row_gradient().rows.data<std::int64_t>();
    }
    ++count;
  }
  if (!same || count != active_.size()) make_active();
  if (has_masters_) sync_masters();
  const auto pieces = static_cast<std::size_t>(plan_.pieces());
  if (reads_) sums_.resize(pieces);
  if (options_.measure || definition_.phases > 1) changes_.resize(pieces);
  if (options_.measure) {
    std::int64_t longest = detail::piece_size;  // a row of a sparse parameter may be longer
    for (const Slot& slot : slots_) longest = std::max(longest, slot.sparse ? slot.parameter.shape()[1] : 0);
    if (!scratch_.defined() || scratch_.size(0) < threads()) scratch_ = empty({threads(), longest});
  }
}

void Optimizer::Engine::make_active() {
  active_.clear();
  sizes_.clear();
  std::int64_t pieces = 0;
  for (Slot& slot : slots_) {
    if (!slot.parameter.has_gradient()) continue;
    const Tensor& gradient = slot.gradient();
    while (slot.states.size() < definition_.states.size()) {
      slot.states.push_back(make_state(definition_.states[slot.states.size()], slot.parameter));
    }
    Active active{.slot = &slot,
                  .size = gradient.numel(),
                  .first_piece = pieces,
                  .p = Tensor(slot.weights()).mutable_data<float>(),
                  .g = gradient.data<float>(),
                  .rows = slot.sparse ? slot.parameter.row_gradient().rows.data<std::int64_t>() : nullptr,
                  .states{},
                  .slow = nullptr,
                  .average = nullptr,
                  .copy = nullptr,
                  .now = 0,
                  .totals{}};
    for (std::size_t i = 0; i < slot.states.size(); ++i) {
      if (slot.states[i].defined()) active.states[i] = temper::detail::mutable_bytes_of(slot.states[i]).data();
    }
    if (lookahead_) {
      if (!slot.slow.defined()) {
        if (slot.debts) pay_all(slot);
        slot.slow = slot.weights().clone();
      }
      if (!slot.sparse) active.slow = slot.slow.mutable_data<float>();
    }
    if (slot.average.defined() && !slot.sparse) active.average = slot.average.mutable_data<float>();
    if (slot.copy.defined()) active.copy = reinterpret_cast<std::uint16_t*>(slot.copy.mutable_data<BFloat16>());
    active_.push_back(active);
    sizes_.push_back(active.size);
    pieces += chunk_count(active.size, detail::piece_size);
  }
  plan_.assign(sizes_);
}

Tensor Optimizer::Engine::make_state(const StateSpec& spec, const Parameter& parameter) const {
  if (spec.owners && !spec.owners(parameter)) return {};
  const Shape& shape = parameter.shape();
  const std::int64_t rows = shape.rank() > 0 ? shape[0] : 1;
  const std::int64_t columns = rows > 0 ? shape.numel() / rows : 0;
  const std::int64_t blocks = chunk_count(shape.numel(), block);
  switch (spec.kind) {
    case StateSpec::Kind::f32: return zeros(shape);
    case StateSpec::Kind::bf16: return zeros(shape, Dtype::bf16);
    case StateSpec::Kind::codes8: return zeros({blocks * block / 8}, Dtype::i64);
    case StateSpec::Kind::units: return zeros({blocks});
    case StateSpec::Kind::rows: return zeros({rows});
    case StateSpec::Kind::columns: return zeros({columns});
    case StateSpec::Kind::rows_squared: return zeros({rows, rows});
    case StateSpec::Kind::columns_squared: return zeros({columns, columns});
  }
  return {};
}

void Optimizer::Engine::run() {
  report_.bad = {};
  writes_ = true;
  next_globals_ = globals_;
  if (!reads_) prepare_all();
  const bool alone = plan_.items() <= 1;
  if (adaptive_clip_) {
    // Before the gradients are read, because clip_norm applies to the result.
    for (Active& active : active_) {
      if (active.slot->clipped) clip_rows(active);
    }
  }
  if (!definition_.whole) {
    parallel_team(alone, [this](const Team& team) { work(team, true, true); });
    return;
  }
  parallel_team(alone, [this](const Team& team) { work(team, true, false); });
  if (writes_) transform_all();
  parallel_team(alone, [this](const Team& team) { work(team, false, true); });
}

void Optimizer::Engine::transform_all() {
  const optim_kernels::FlushDenormals flush;
  for (Active& active : active_) {
    if (!active.slot->whole) continue;
    Whole whole{.p = active.p,
                .g = own_gradient(active),
                .memory{},
                .shape = active.slot->parameter.shape(),
                .parameter = static_cast<std::size_t>(active.slot - slots_.data()),
                .now = nows_[active.now]};
    for (std::size_t i = 0; i < whole.memory.size(); ++i) whole.memory[i] = reinterpret_cast<float*>(active.states[i]);
    optimizer_->transform(whole);
  }
}

/// The gradient for writing: a copy of it if it has other handles.
float* Optimizer::Engine::own_gradient(Active& active) {
  Parameter& parameter = active.slot->parameter;
  if (!active.slot->gradient().unique()) {
    Tensor own = active.slot->gradient().clone();
    if (active.slot->sparse) {
      parameter.set_row_gradient({parameter.row_gradient().rows, std::move(own)});
    } else {
      parameter.set_gradient(std::move(own));
    }
  }
  float* g = Tensor(active.slot->gradient()).mutable_data<float>();
  active.g = g;
  return g;
}

void Optimizer::Engine::work(const Team& team, bool reads, bool updates) {
  const optim_kernels::FlushDenormals flush;
  const std::int64_t first = plan_.items() * team.thread() / team.size();
  const std::int64_t last = plan_.items() * (team.thread() + 1) / team.size();
  if (reads && reads_) {
    read_gradients(first, last);
    team.between_passes([this] { decide(); });
  }
  for (int phase = 0; updates && writes_ && phase < definition_.phases; ++phase) {
    if (phase > 0) team.between_passes([this, phase] { add_totals(phase - 1); });
    if (writes_) update_pieces(first, last, team.thread(), phase);
  }
}

void Optimizer::Engine::read_gradients(std::int64_t first, std::int64_t last) {
  const auto sum_squares = optim_kernels::current().sum_squares;
  plan_.each(first, last, [&](std::int64_t tensor, std::int64_t begin, std::int64_t end, std::int64_t piece) {
    const float* g = active_[static_cast<std::size_t>(tensor)].g;
    if (static_cast<std::size_t>(tensor) + 1 < active_.size()) {
      prefetch(active_[static_cast<std::size_t>(tensor) + 1].g);
    }
    sums_[static_cast<std::size_t>(piece)] = sum_squares(g + begin, end - begin);
  });
}

/// Called between the passes, on one thread: decides whether to write, and computes the factors of the gradients.
void Optimizer::Engine::decide() {
  // Squares of floats cannot overflow in double, so the sum is finite exactly when all elements are.
  double total = 0.0;
  std::ranges::fill(clips_, 0.0);  // holds sums of squares at first
  for (const Active& active : active_) {
    double& group_sum = clips_[clipping_[active.slot->group] ? active.slot->group + 1 : 0];
    const auto end = active.first_piece + chunk_count(active.size, detail::piece_size);
    for (std::int64_t piece = active.first_piece; piece < end; ++piece) {
      const double sum = sums_[static_cast<std::size_t>(piece)];
      if (!std::isfinite(sum) && report_.bad.empty()) report_.bad = active.slot->label;
      total += sum;
      group_sum += sum;
    }
  }
  report_.grad_norm = std::sqrt(total) / options_.divide_by;
  if (!report_.bad.empty()) {
    writes_ = false;
    return;
  }
  for (std::size_t i = 0; i < clips_.size(); ++i) {
    const double norm = std::sqrt(clips_[i]) / options_.divide_by;
    clips_[i] = clip_norms_[i] < no_clipping ? std::min(1.0, clip_norms_[i] / (norm + 1e-6)) : 1.0;
    report_.clip = std::min(report_.clip, clips_[i]);
  }
  prepare_all();
}

/// Computes the numbers of the update, once for parameters of one group with the same number of updates.
void Optimizer::Engine::prepare_all() {
  nows_.clear();
  const Slot* same = nullptr;
  for (Active& active : active_) {
    Slot& slot = *active.slot;
    if (same == nullptr || same->group != slot.group || same->updates != slot.updates ||
        same->products != slot.products || same->sums != slot.sums) {
      Now& now = nows_.emplace_back();
      now.k = k_;
      now.t = slot.updates + 1;
      now.hyper = values_[slot.group];
      now.products = slot.products;
      now.sums = slot.sums;
      now.globals = globals_;
      const double clip = clips_[clipping_[slot.group] ? slot.group + 1 : 0];
      now.scale = (definition_.maximize ? -clip : clip) / options_.divide_by;
      try {
        optimizer_->prepare(now);
      } catch (...) {
        error_ = std::current_exception();
        writes_ = false;
        return;
      }
      same = &slot;
    }
    active.now = nows_.size() - 1;
  }
}

/// Called between two phases, on one thread: adds up the sums of each parameter's pieces.
void Optimizer::Engine::add_totals(int phase) {
  if (error_) writes_ = false;
  std::array<double, 2> all{};
  for (Active& active : active_) {
    active.totals = {};
    const auto end = active.first_piece + chunk_count(active.size, detail::piece_size);
    for (std::int64_t piece = active.first_piece; piece < end; ++piece) {
      for (std::size_t i = 0; i < 2; ++i) active.totals[i] += changes_[static_cast<std::size_t>(piece)][i];
    }
    for (std::size_t i = 0; i < 2; ++i) all[i] += active.totals[i];
  }
  if (!next_globals_.empty()) optimizer_->between_phases(phase, nows_.front(), all, next_globals_);
}

void Optimizer::Engine::update_pieces(std::int64_t first, std::int64_t last, int thread, int phase) {
  const optim_kernels::Table& kernels = optim_kernels::current();
  const auto weight = static_cast<float>(average_weight_);
  const bool final = phase + 1 == definition_.phases, pulls = looks_back();
  const auto share = static_cast<float>(lookahead_ ? lookahead_->share : 0.0);
  std::array<double, 2> unused{};
  float* before =
      options_.measure && final ? const_cast<float*>(scratch_.data<float>()) + thread * scratch_.size(1) : nullptr;
  try {
    plan_.each(first, last, [&](std::int64_t tensor, std::int64_t begin, std::int64_t end, std::int64_t piece) {
      const Active& active = active_[static_cast<std::size_t>(tensor)];
      if (active.rows != nullptr) {
        if (before != nullptr) changes_[static_cast<std::size_t>(piece)] = {};
        update_rows(active, begin, end, before,
                    before != nullptr ? changes_[static_cast<std::size_t>(piece)].data() : nullptr);
        return;
      }
      if (static_cast<std::size_t>(tensor) + 1 < active_.size()) {
        const Active& next = active_[static_cast<std::size_t>(tensor) + 1];
        prefetch(next.p);
        prefetch(next.g);
        for (std::size_t i = 0; i < definition_.states.size(); ++i) prefetch(next.states[i]);
      }
      Piece work{.p = active.p + begin,
                 .g = active.g + begin,
                 .memory{},
                 .n = end - begin,
                 .begin = begin,
                 .size = active.size,
                 .parameter = static_cast<std::size_t>(active.slot - slots_.data()),
                 .now = nows_[active.now],
                 .phase = phase,
                 .sums = final ? unused : changes_[static_cast<std::size_t>(piece)],
                 .totals = active.totals,
                 .globals = next_globals_};
      for (std::size_t i = 0; i < definition_.states.size(); ++i) {
        if (active.states[i] == nullptr) continue;
        work.memory[i] = active.states[i] + state_offset(definition_.states[i].kind, begin);
      }
      if (before != nullptr) std::copy_n(work.p, work.n, before);
      optimizer_->update(work);
      if (!final) return;
      if (pulls) kernels.look_back(active.slow + begin, work.p, share, work.n);
      if (before != nullptr) kernels.change(work.p, before, work.n, changes_[static_cast<std::size_t>(piece)].data());
      if (weight > 0.0f) kernels.average(active.average + begin, work.p, weight, work.n);
      if (active.copy != nullptr) kernels.to_bf16(work.p, active.copy + begin, work.n);
    });
  } catch (...) {
    const std::lock_guard lock(error_mutex_);
    error_ = std::current_exception();
  }
}

void Optimizer::Engine::zero_bad_gradients() {
  for (Active& active : active_) {
    for (float& x : std::span(own_gradient(active), static_cast<std::size_t>(active.size))) {
      if (!std::isfinite(x)) x = 0.0f;
    }
  }
}

void Optimizer::Engine::commit() {
  for (const Active& active : active_) {
    Slot& slot = *active.slot;
    slot.parameter.discard_gradient();
    if (!writes_) continue;
    ++slot.updates;
    if (slot.debts) remember(slot, nows_[active.now]);
    slot.products = nows_[active.now].products;
    slot.sums = nows_[active.now].sums;
    if (active.slow != nullptr && looks_back()) slot.slow.mutable_data<float>();
    slot.bump_version();
    if (average_weight_ > 0.0) slot.average.mutable_data<float>();
    if (active.copy != nullptr) slot.copy.mutable_data<BFloat16>();
    if (slot.master.defined()) slot.version = slot.copy.version();
  }
  if (!writes_) return;
  if (looks_back()) look_back_others();
  if (average_weight_ > 0.0) {
    average_others();
    ++samples_;
  }
  globals_ = next_globals_;
  ++k_;
  report_.applied = true;
  if (options_.measure) {
    double moved = 0.0, size = 0.0;
    for (const auto& [change, before] : changes_) {
      moved += change;
      size += before;
    }
    report_.update_ratio = size > 0.0 ? std::sqrt(moved / size) : 0.0;
  }
}

}  // namespace temper::optim
