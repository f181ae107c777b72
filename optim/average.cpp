// Averages of the weights, Lookahead, and bf16 copies. The update computes them while the weights are in the cache.

#include <temper/optim/average.hpp>

#include <algorithm>
#include <bit>
#include <cmath>

#include <temper/core/parallel.hpp>

#include "framework/core/format_internal.hpp"
#include "optim/engine_internal.hpp"
#include "optim/kernels/table.hpp"

namespace temper::optim {

void Optimizer::Engine::average(const AverageOptions& options) {
  if (definition_.evaluates_elsewhere) {
    fail<ValueError>("{}: it averages the weights by itself; swap_averages() gives them", definition_.name);
  }
  if (options.start < 0 || options.every < 1) {
    fail<ValueError>("{}: averages start at {} and are taken every {} updates, expected at least 0 and 1",
                     definition_.name, options.start, options.every);
  }
  if (averages_) fail<ValueError>("{}: the weights are averaged already", definition_.name);
  const double decay = options.decay(0);
  if (!options.equal && !(decay >= 0.0 && decay < 1.0)) {
    fail<ValueError>("{}: the decay of the average is {}, expected at least 0 and less than 1", definition_.name,
                     decay);
  }
  averages_ = options;
  for (Slot& slot : slots_) slot.average = zeros(slot.parameter.shape());
  active_.clear();
}

/// The factor of the new weights in this step's average; 0 if the step is not a sample.
double Optimizer::Engine::average_weight() const {
  if (!averages_ || k_ < averages_->start || (k_ - averages_->start) % averages_->every != 0) return 0.0;
  if (samples_ == 0) return 1.0;
  const auto samples = static_cast<double>(samples_);
  if (averages_->equal) return 1.0 / (samples + 1.0);
  const double decay = averages_->decay(k_);
  if (!(decay >= 0.0 && decay <= 1.0)) {
    fail<ValueError>("{}: the decay of the average is {} at k = {}, expected between 0 and 1", definition_.name, decay,
                     k_);
  }
  return 1.0 - (averages_->warmup ? std::min(decay, (1.0 + samples) / (10.0 + samples)) : decay);
}

/// Calls f(slot) for the parameters that had no gradient in this step, and for sparse ones, of which few rows had one.
template <class F>
void Optimizer::Engine::each_without_gradient(F f) {
  auto active = active_.begin();
  for (Slot& slot : slots_) {
    const bool had_one = active != active_.end() && active->slot == &slot;
    if (had_one) ++active;
    if (had_one && !slot.sparse) continue;
    if (slot.debts) pay_all(slot);
    f(slot);
  }
}

/// Averages the parameters without a gradient as well, so that all have the same number of samples.
void Optimizer::Engine::average_others() {
  const auto mix = optim_kernels::current().average;
  const auto weight = static_cast<float>(average_weight_);
  each_without_gradient([&](Slot& slot) {
    float* mean = slot.average.mutable_data<float>();
    const float* p = slot.weights().data<float>();
    parallel_for(slot.average.numel(), detail::piece_size,
                 [&](std::int64_t begin, std::int64_t end) { mix(mean + begin, p + begin, weight, end - begin); });
  });
}

void Optimizer::Engine::look_ahead(const LookaheadOptions& options) {
  if (options.every < 1 || !(options.share > 0.0 && options.share <= 1.0)) {
    fail<ValueError>(
        "{}: looks ahead over {} updates with a share of {}, expected at least 1, and above 0 and at most 1",
        definition_.name, options.every, options.share);
  }
  if (lookahead_) fail<ValueError>("{}: it looks ahead already", definition_.name);
  lookahead_ = options;
  active_.clear();
}

/// Whether Lookahead moves the weights back to the slow ones after this update.
bool Optimizer::Engine::looks_back() const { return lookahead_ && (k_ + 1) % lookahead_->every == 0; }

void Optimizer::Engine::look_back_others() {
  const auto pull = optim_kernels::current().look_back;
  const auto share = static_cast<float>(lookahead_->share);
  each_without_gradient([&](Slot& slot) {
    if (!slot.slow.defined()) return;  // never updated since look_ahead()
    float *slow = slot.slow.mutable_data<float>(), *p = Tensor(slot.weights()).mutable_data<float>();
    parallel_for(slot.slow.numel(), detail::piece_size,
                 [&](std::int64_t begin, std::int64_t end) { pull(slow + begin, p + begin, share, end - begin); });
    renew_copy(slot);
  });
}

/// Puts the weights that the optimizer has for evaluation in place of the averages.
void Optimizer::Engine::evaluation_weights() {
  evaluate();
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    slot.average = slot.weights().clone();
    if (slot.updates == 0) continue;
    Now now;
    now.k = k_;
    now.t = slot.updates;
    now.hyper = values_[slot.group];
    now.products = slot.products;
    now.sums = slot.sums;
    now.globals = globals_;
    std::array<double, 2> unused{};
    Piece piece{.p = Tensor(slot.weights()).mutable_data<float>(),
                .g = nullptr,
                .memory{},
                .n = slot.average.numel(),
                .begin = 0,
                .size = slot.average.numel(),
                .parameter = i,
                .now = now,
                .phase = 0,
                .sums = unused,
                .totals{},
                .globals = globals_};
    for (std::size_t s = 0; s < slot.states.size(); ++s) {
      if (slot.states[s].defined()) piece.memory[s] = slot.states[s].mutable_data<float>();
    }
    optimizer_->evaluation_weights(piece, slot.average.mutable_data<float>());
  }
}

void Optimizer::Engine::swap_averages() {
  if (!has_averages()) fail<ValueError>("{}: there are no averages of the weights yet", definition_.name);
  follow_values();
  if (definition_.evaluates_elsewhere && !swapped_) evaluation_weights();
  if (has_masters_) sync_masters();
  pay_all();
  for (Slot& slot : slots_) {
    const auto mine = Tensor(slot.weights()).mutable_values<float>();
    const auto other = slot.average.mutable_values<float>();
    std::swap_ranges(mine.begin(), mine.end(), other.begin());
    renew_copy(slot);
  }
  swapped_ = !swapped_;
  if (!definition_.evaluates_elsewhere || swapped_) return;
  for (Slot& slot : slots_) slot.average = Tensor();
}

void Optimizer::Engine::check_not_swapped() const {
  if (!swapped_) return;
  fail<ValueError>("{}: the parameters hold their averages; swap_averages() takes that back", definition_.name);
}

void Optimizer::Engine::keep_bf16() {
  follow_values();
  pay_all();
  for (Slot& slot : slots_) {
    if (slot.copy.defined()) continue;
    slot.copy = empty(slot.parameter.shape(), Dtype::bf16);
    renew_copy(slot);
  }
  active_.clear();
}

void Optimizer::Engine::renew_copy(Slot& slot) {
  if (!slot.copy.defined()) return;
  optim_kernels::current().to_bf16(slot.weights().data<float>(),
                                   reinterpret_cast<std::uint16_t*>(slot.copy.mutable_data<BFloat16>()),
                                   slot.copy.numel());
  slot.version = slot.copy.version();
}

/// After a bf16 parameter was written to, by loading a file for example, copies the new values to its master. Elements
/// that still equal the rounded master leave it as it is, because it is more exact.
void Optimizer::Engine::sync_masters() {
  for (Slot& slot : slots_) {
    if (!slot.master.defined()) continue;
    if (slot.version == slot.copy.version()) continue;
    const auto values = slot.copy.values<BFloat16>();
    const auto masters = slot.master.mutable_values<float>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      std::uint16_t rounded;
      optim_kernels::current().to_bf16(&masters[i], &rounded, 1);
      if (rounded != values[i].bits) masters[i] = std::bit_cast<float>(std::uint32_t{values[i].bits} << 16);
    }
    slot.version = slot.copy.version();
  }
}

Tensor Optimizer::Engine::averaged(const Parameter& parameter) const {
  const Tensor average = kept(parameter, &Slot::average, "average");
  if (!has_averages()) fail<ValueError>("{}: there are no averages of the weights yet", definition_.name);
  return average;
}

Tensor Optimizer::Engine::kept(const Parameter& parameter, Tensor Slot::*what, const char* name) const {
  for (const Slot& slot : slots_) {
    if (!slot.parameter.same(parameter)) continue;
    if (!(slot.*what).defined()) fail<ValueError>("{}: no {} is kept", definition_.name, name);
    return slot.*what;
  }
  fail<ValueError>("{}: parameter '{}' is not one of its own", definition_.name, parameter.name());
}

}  // namespace temper::optim
