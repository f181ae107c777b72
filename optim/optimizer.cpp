#include <temper/optim/optimizer.hpp>

#include <cmath>
#include <unordered_map>

#include <temper/core/trace.hpp>

#include "framework/core/format_internal.hpp"
#include "optim/engine_internal.hpp"

namespace temper::optim {

namespace {

std::string group_label(const Group& group, std::size_t index) {
  return group.name.empty() ? fmt::format("group {}", index) : fmt::format("group '{}'", group.name);
}

}  // namespace

Optimizer::Engine::Engine(const Optimizer& optimizer, Groups groups, Definition definition)
    : optimizer_(&optimizer), definition_(std::move(definition)), groups_(std::move(groups)) {
  if (definition_.hypers.size() > max_hypers || definition_.states.size() > max_states) {
    fail<ValueError>("{}: {} numbers and {} states, expected at most {} and {}", definition_.name,
                     definition_.hypers.size(), definition_.states.size(), max_hypers, max_states);
  }
  for (std::size_t i = 0; i < groups_.size(); ++i) add_group(i);
  if (slots_.empty()) {
    fail<ValueError>("{}: there is no parameter to update; does the model name its parts in members()?",
                     definition_.name);
  }

  std::unordered_map<const void*, const Slot*> seen;
  for (const Slot& slot : slots_) {
    const auto [other, first] = seen.emplace(slot.parameter.id(), &slot);
    if (first) continue;
    const std::size_t before = other->second->group;
    if (before == slot.group) {
      fail<ValueError>("{}: parameter '{}' is twice in {}", definition_.name, slot.label,
                       group_label(groups_[before], before));
    }
    fail<ValueError>("{}: parameter '{}' is in {} and in {}", definition_.name, slot.label,
                     group_label(groups_[before], before), group_label(groups_[slot.group], slot.group));
  }
  if (has_masters_) sync_masters();
  values_.resize(groups_.size());
  clip_norms_.resize(groups_.size() + 1);
  clips_.resize(groups_.size() + 1);
  active_.reserve(slots_.size());
  sizes_.reserve(slots_.size());
  nows_.reserve(slots_.size());
  globals_ = definition_.globals;
  evaluate();
  owe_rows();
}

void Optimizer::Engine::add_group(std::size_t index) {
  const Group& group = groups_[index];
  clipping_.emplace_back();
  std::vector<Schedule> schedules;
  for (const Hyper& hyper : definition_.hypers) schedules.push_back(hyper.value);
  for (const Setting& setting : group.set) {
    if (setting.name == "clip_norm") {
      clipping_.back() = setting.value;
      continue;
    }
    std::string names;
    bool found = false;
    for (std::size_t i = 0; i < schedules.size(); ++i) {
      const std::string& name = definition_.hypers[i].name;
      names += (names.empty() ? "" : ", ") + name;
      if (name != setting.name) continue;
      schedules[i] = setting.value;
      found = true;
    }
    if (!found) {
      fail<ValueError>("{}: {} sets '{}', which {} does not have; it has {}, clip_norm", definition_.name,
                       group_label(group, index), setting.name, definition_.name, names);
    }
  }
  for (std::size_t i = 0; i < schedules.size(); ++i) {
    if (definition_.hypers[i].name == "lr") schedules[i] = group.lr_scale * schedules[i];
  }
  hypers_.push_back(std::move(schedules));

  for (std::size_t i = 0; i < group.parameters.size(); ++i) {
    const Parameter& parameter = group.parameters[i];
    if (!parameter.defined()) {
      fail<ValueError>("{}: parameter {} of {} is undefined", definition_.name, i, group_label(group, index));
    }
    Slot slot{.parameter = parameter, .label = parameter.name(), .group = index};
    if (slot.label.empty()) slot.label = fmt::format("number {} of {}", i, group_label(group, index));
    slot.products.fill(1.0);
    slot.sparse = parameter.sparse();
    check_sparse(slot);
    slot.whole = definition_.whole && definition_.whole(parameter);
    if (parameter.value().dtype() == Dtype::bf16) {
      has_masters_ = true;
      slot.copy = parameter.stored();
      slot.master = zeros(parameter.shape());
    }
    slots_.push_back(std::move(slot));
  }
}

double Optimizer::Engine::hyper(std::size_t index, std::size_t group, Step k) const {
  const Hyper& hyper = definition_.hypers[index];
  double value = hypers_[group][index](k);
  if (hyper.name == "lr") {
    for (const JournalEntry& entry : journal_) value *= k >= entry.k ? entry.factor : 1.0;
  }
  const bool allowed = hyper.range == Hyper::Range::no_nan ? !std::isnan(value) : std::isfinite(value);
  const bool good = allowed && (hyper.range == Hyper::Range::any || value >= 0.0) &&
                    (hyper.range != Hyper::Range::fraction || value < 1.0);
  if (!good) {
    const char* expected = hyper.range == Hyper::Range::any            ? "a finite number"
                           : hyper.range == Hyper::Range::not_negative ? "at least 0"
                                                                       : "at least 0 and less than 1";
    const Schedule& schedule = hypers_[group][index];
    if (schedule.is_number())
      fail<ValueError>("{}: {} is {}, expected {}", definition_.name, hyper.name, value, expected);
    fail<ValueError>("{}: {} is {} at k = {}, expected {}; it is {}", definition_.name, hyper.name, value, k, expected,
                     schedule.text());
  }
  return value;
}

const Schedule& Optimizer::Engine::schedule(std::string_view name, std::size_t group) const {
  if (name == "clip_norm" && group < groups_.size()) {
    return clipping_[group] ? *clipping_[group] : definition_.clip_norm;
  }
  return hypers_[group][find(name, group)];
}

double Optimizer::Engine::value(std::string_view name, Step k, std::size_t group) const {
  return name == "clip_norm" ? schedule(name, group)(k) : hyper(find(name, group), group, k);
}

/// The index of an option.
std::size_t Optimizer::Engine::find(std::string_view name, std::size_t group) const {
  if (group >= groups_.size()) {
    fail<ValueError>("{}: there is no group {}, only {}", definition_.name, group, groups_.size());
  }
  for (std::size_t i = 0; i < definition_.hypers.size(); ++i) {
    if (definition_.hypers[i].name == name) return i;
  }
  fail<ValueError>("{}: there is no '{}'", definition_.name, name);
}

Optimizer::Optimizer(Groups groups, Definition definition)
    : engine_(std::make_unique<Engine>(*this, std::move(groups), std::move(definition))) {}
Optimizer::~Optimizer() = default;

Optimizer::Optimizer(Optimizer&& other) noexcept : engine_(std::move(other.engine_)) {
  if (engine_) engine_->belongs_to(*this);
}

Optimizer& Optimizer::operator=(Optimizer&& other) noexcept {
  engine_ = std::move(other.engine_);
  if (engine_) engine_->belongs_to(*this);
  return *this;
}

Optimizer::Engine& Optimizer::engine() const {
  if (!engine_) fail<ValueError>("optimizer: it was moved to another, which has the parameters now");
  return *engine_;
}

StepReport Optimizer::step(const StepOptions& options) {
  const TraceScope scope(name(), TraceTrack::optimizer);
  return engine().step(options);
}

void Optimizer::discard_gradients() {
  for (const Group& group : engine().groups()) temper::discard_gradients(group.parameters);
}

Step Optimizer::k() const { return engine().k(); }
double Optimizer::value(std::string_view name, Step k, std::size_t group) const {
  return engine().value(name, k, group);
}
const std::string& Optimizer::name() const { return engine().definition().name; }
const Groups& Optimizer::groups() const { return engine().groups(); }
const Definition& Optimizer::definition() const { return engine().definition(); }
const Schedule& Optimizer::schedule(std::string_view name, std::size_t group) const {
  return engine().schedule(name, group);
}

void Optimizer::scale_lr(double factor, const std::string& reason) { engine().scale_lr(factor, reason); }
const std::vector<JournalEntry>& Optimizer::journal() const { return engine().journal(); }

std::string Optimizer::note(const std::string& name) const {
  const auto found = engine().notes().find(name);
  return found == engine().notes().end() ? std::string() : found->second;
}
void Optimizer::set_note(const std::string& name, std::string text) { engine().notes()[name] = std::move(text); }

void Optimizer::average(const AverageOptions& options) { engine().average(options); }
Tensor Optimizer::averaged(const Parameter& parameter) const { return engine().averaged(parameter); }
void Optimizer::swap_averages() { engine().swap_averages(); }
bool Optimizer::has_averages() const { return engine().has_averages(); }
void Optimizer::look_ahead(const LookaheadOptions& options) { engine().look_ahead(options); }
void Optimizer::clip_adaptively(const AdaptiveClipOptions& options) { engine().clip_adaptively(options); }
void Optimizer::keep_bf16() { engine().keep_bf16(); }
Tensor Optimizer::bf16(const Parameter& parameter) const {
  return engine().kept(parameter, &Engine::Slot::copy, "copy in bf16");
}

OptimizerState Optimizer::state() const { return engine().state(); }
void Optimizer::load(const OptimizerState& state, const LoadOptions& options) { engine().load(state, options); }
void Optimizer::start_from(Step k, const std::map<std::string, ParameterStart>& parameters) {
  engine().start_from(k, parameters);
}

void Optimizer::prepare(Now&) const {}
void Optimizer::transform(const Whole&) const {}
void Optimizer::evaluation_weights(const Piece&, float*) const {}
void Optimizer::between_phases(int, Now, const std::array<double, 2>&, std::span<double>) const {}
std::span<const double> Optimizer::globals() const { return engine().global_numbers(); }

}  // namespace temper::optim
