// Sparse parameters: the update of single rows, and what is owed to the others.

#include <algorithm>
#include <utility>

#include <temper/core/parallel.hpp>

#include "framework/core/format_internal.hpp"
#include "optim/engine_internal.hpp"
#include "optim/kernels/denormals.hpp"
#include "optim/kernels/table.hpp"
#include "optim/rows_internal.hpp"

namespace temper::optim {

namespace {

/// So many updates after it was last done, every row is brought up to date: the numbers of older ones are forgotten.
constexpr std::size_t most_missed = 1024;

}  // namespace

namespace detail {

void idle_updates(std::span<const Idle> updates, float* p, float* v, std::int64_t n) {
  // A few elements at a time stay in registers over all updates.
  constexpr std::int64_t lanes = 16;
  const auto each = [&](float* x, auto step) {
    for (std::int64_t i = 0; x != nullptr && i < n; i += lanes) {
      std::array<float, lanes> some{};
      const auto count = static_cast<std::size_t>(std::min(lanes, n - i));
      std::copy_n(x + i, count, some.begin());
      for (const Idle& update : updates) {
        for (float& element : some) element = step(element, update);
      }
      std::copy_n(some.begin(), count, x + i);
    }
  };
  each(p, [](float x, const Idle& update) { return x - update.decay * x; });
  each(v, [](float x, const Idle& update) { return update.beta2 * x; });
}

}  // namespace detail

/// What a parameter with Rows::exact knows of its optimizer.
class Optimizer::Engine::Debts final : public temper::detail::Owed {
 public:
  Debts(Engine& engine, std::size_t slot) : engine_(&engine), slot_(slot) {}

  void pay(std::span<const std::int64_t> rows) override {
    const std::lock_guard lock(mutex_);
    engine_->pay(engine_->slots_[slot_], rows);
  }
  void pay_all() override {
    const std::lock_guard lock(mutex_);
    engine_->pay_all(engine_->slots_[slot_]);
  }

 private:
  Engine* engine_;
  std::size_t slot_;
  std::mutex mutex_;  // of threads that read the parameter at once
};

void Optimizer::Engine::check_sparse(const Slot& slot) const {
  if (!slot.sparse) return;
  if (!definition_.rows) {
    fail<ValueError>(
        "{}: parameter '{}' is sparse, and it has no rule for gradients of rows; SGD, Adagrad, Adam and AdamW have "
        "(or make it without .sparse)",
        definition_.name, slot.label);
  }
  const bool plain = std::ranges::all_of(definition_.states, [&](const StateSpec& state) {
    return state.kind == StateSpec::Kind::f32 || state.kind == StateSpec::Kind::rows;
  });
  if (definition_.phases > 1 || !plain || (definition_.rows == Rows::exact && !definition_.catch_up)) {
    fail<ValueError>(
        "{}: parameter '{}' is sparse, which needs an update in one phase with states in f32 (no cautious steps, no "
        "moments in fewer bits), and for Rows::exact a way to catch up",
        definition_.name, slot.label);
  }
}

/// Enters this optimizer at the parameters whose rows it will owe updates.
void Optimizer::Engine::owe_rows() {
  if (definition_.rows != Rows::exact) return;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (!slot.sparse) continue;
    slot.missed.reserve(most_missed);
    slot.done.assign(static_cast<std::size_t>(slot.parameter.shape()[0]), 0);
    const std::int64_t width = slot.parameter.shape()[1];
    if (!zeros_.defined() || zeros_.numel() < width) zeros_ = zeros({width});
    try {
      slot.parameter.owe(std::make_shared<Debts>(*this, i));
      slot.debts = true;
    } catch (...) {
      leave_rows();
      throw;
    }
  }
}

/// Pays what is owed, and leaves the parameters.
void Optimizer::Engine::leave_rows() {
  for (Slot& slot : slots_) {
    if (!std::exchange(slot.debts, false)) continue;
    try {
      pay_all(slot);
    } catch (...) {  // no thread could be started: the rows keep what they have
    }
    slot.parameter.owe(nullptr);
  }
}

Optimizer::Engine::~Engine() { leave_rows(); }

/// A row as a piece.
static Piece row_piece(float* p, const float* g, std::int64_t width, std::int64_t row, std::int64_t size,
                       std::size_t parameter, const Now& now, std::array<double, 2>& sums,
                       std::span<const double> globals) {
  return {.p = p + row * width,
          .g = g,
          .memory{},
          .n = width,
          .begin = row * width,
          .size = size,
          .parameter = parameter,
          .now = now,
          .phase = 0,
          .sums = sums,
          .totals{},
          .globals = globals,
          .row = row};
}

static void set_states(Piece& piece, const Definition& definition, std::span<std::byte* const> states) {
  for (std::size_t i = 0; i < states.size(); ++i) {
    if (states[i] == nullptr) continue;
    const bool one = definition.states[i].kind == StateSpec::Kind::rows;
    piece.memory[i] = states[i] + (one ? piece.row : piece.begin) * static_cast<std::int64_t>(sizeof(float));
  }
}

/// Brings a row up to date. The tape is not told: the value of the parameter stays what it is, see Parameter::value().
void Optimizer::Engine::pay_row(Slot& slot, std::int64_t row) const {
  Step& done = slot.done[static_cast<std::size_t>(row)];
  const auto owed = static_cast<std::size_t>(slot.updates - done);
  if (owed == 0) return;
  done = slot.updates;
  const std::span<const Now> missed = std::span(slot.missed).last(owed);
  const std::int64_t width = slot.parameter.shape()[1];
  std::array<double, 2> unused{};
  float* const p = const_cast<float*>(slot.weights().data<float>());
  Piece piece = row_piece(p, zeros_.data<float>(), width, row, slot.parameter.shape().numel(),
                          static_cast<std::size_t>(&slot - slots_.data()), missed.back(), unused, globals_);
  std::array<std::byte*, max_states> states{};
  for (std::size_t i = 0; i < slot.states.size(); ++i) {
    if (slot.states[i].defined())
      states[i] = reinterpret_cast<std::byte*>(const_cast<float*>(slot.states[i].data<float>()));
  }
  set_states(piece, definition_, states);
  definition_.catch_up(piece, missed);
  if (!slot.copy.defined()) return;
  auto* const copy = reinterpret_cast<std::uint16_t*>(const_cast<BFloat16*>(slot.copy.data<BFloat16>()));
  optim_kernels::current().to_bf16(piece.p, copy + row * width, width);
}

void Optimizer::Engine::pay(Slot& slot, std::span<const std::int64_t> rows) const {
  if (slot.missed.empty() || rows.empty()) return;
  // A row may be named several times: each belongs to one of the tasks.
  const auto size = static_cast<std::int64_t>(rows.size());
  const std::int64_t tasks = std::min<std::int64_t>(threads(), chunk_count(size, 1024));
  parallel_for(tasks, 1, [&](std::int64_t task, std::int64_t) {
    const optim_kernels::FlushDenormals flush;
    for (const std::int64_t row : rows) {
      if ((row / 16) % tasks == task) pay_row(slot, row);
    }
  });
}

void Optimizer::Engine::pay_all(Slot& slot) const {
  if (slot.missed.empty()) return;
  const Shape& shape = slot.parameter.shape();
  parallel_for(shape[0], std::max<std::int64_t>(1, detail::piece_size / std::max<std::int64_t>(1, shape[1])),
               [&](std::int64_t first, std::int64_t last) {
                 const optim_kernels::FlushDenormals flush;
                 for (std::int64_t row = first; row < last; ++row) pay_row(slot, row);
               });
  slot.missed.clear();
}

void Optimizer::Engine::pay_all() {
  for (Slot& slot : slots_) {
    if (slot.debts) pay_all(slot);
  }
}

/// Keeps the numbers of the update that was just made, which the rows without a gradient are owed.
void Optimizer::Engine::remember(Slot& slot, const Now& now) const {
  slot.missed.push_back(now);
  if (slot.missed.size() >= most_missed) pay_all(slot);
}

/// After the parameters' updates were counted anew: all rows are up to date.
void Optimizer::Engine::forget_debts() {
  for (Slot& slot : slots_) {
    if (!slot.debts) continue;
    slot.missed.clear();
    std::ranges::fill(slot.done, slot.updates);
  }
}

/// Updates the rows that begin in these elements of the gradient.
void Optimizer::Engine::update_rows(const Active& active, std::int64_t begin, std::int64_t end, float* before,
                                    double* change) {
  const optim_kernels::Table& kernels = optim_kernels::current();
  Slot& slot = *active.slot;
  const std::int64_t width = slot.parameter.shape()[1];
  const std::int64_t first = chunk_count(begin, width), last = chunk_count(end, width);
  constexpr std::int64_t ahead = 2;  // rows are anywhere in memory, and wait for it long
  std::array<double, 2> unused{}, moved{};
  for (std::int64_t i = first; i < last; ++i) {
    if (i + ahead < last) {
      const std::int64_t next = active.rows[i + ahead] * width * static_cast<std::int64_t>(sizeof(float));
      for (std::int64_t byte = 0; byte < width * static_cast<std::int64_t>(sizeof(float)); byte += 64) {
        __builtin_prefetch(reinterpret_cast<std::byte*>(active.p) + next + byte, 1);
        for (std::size_t s = 0; s < definition_.states.size(); ++s) {
          if (active.states[s] != nullptr && definition_.states[s].kind == StateSpec::Kind::f32) {
            __builtin_prefetch(active.states[s] + next + byte, 1);
          }
        }
      }
    }
    const std::int64_t row = active.rows[i];
    if (slot.debts) pay_row(slot, row);
    Piece piece =
        row_piece(active.p, active.g + i * width, width, row, slot.parameter.shape().numel(),
                  static_cast<std::size_t>(active.slot - slots_.data()), nows_[active.now], unused, next_globals_);
    set_states(piece, definition_, std::span(active.states).first(definition_.states.size()));
    if (before != nullptr) std::copy_n(piece.p, width, before);
    optimizer_->update(piece);
    if (slot.debts) slot.done[static_cast<std::size_t>(row)] = slot.updates + 1;
    if (before != nullptr) {
      kernels.change(piece.p, before, width, moved.data());
      change[0] += moved[0];
      change[1] += moved[1];
    }
    if (active.copy != nullptr) kernels.to_bf16(piece.p, active.copy + row * width, width);
  }
}

}  // namespace temper::optim
