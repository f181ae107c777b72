// Saving and loading of optimizers.

#include <temper/optim/state.hpp>

#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <set>
#include <sstream>

#include "framework/core/format_internal.hpp"
#include "optim/engine_internal.hpp"

namespace temper::optim {

namespace {

/// The number of a parameter's counters: its updates, the bits of its running products, then of its running sums.
std::int64_t counters(const Definition& definition) {
  return 1 + static_cast<std::int64_t>(max_products + (definition.keeps_sums ? max_sums : 0));
}

std::string members_key(std::size_t group) { return fmt::format("group {}/parameters", group); }

/// The group of every parameter in a state; empty for a state without groups.
std::map<std::string, std::size_t> groups_of(const OptimizerState& state) {
  std::map<std::string, std::size_t> groups;
  for (std::size_t group = 0;; ++group) {
    const auto found = state.texts.find(members_key(group));
    if (found == state.texts.end()) return groups;
    std::istringstream names(found->second);
    for (std::string name; std::getline(names, name);) groups[name] = group;
  }
}

/// "k factor reason" per line.
std::string journal_text(const std::vector<JournalEntry>& journal) {
  std::string text;
  for (const JournalEntry& entry : journal) text += fmt::format("{} {} {}\n", entry.k, entry.factor, entry.reason);
  return text;
}

bool read_journal(const std::string& text, std::vector<JournalEntry>& journal) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    JournalEntry entry;
    const char* const end = line.data() + line.size();
    const auto k = std::from_chars(line.data(), end, entry.k);
    if (k.ec != std::errc() || k.ptr == end || entry.k < 0) return false;
    const auto factor = std::from_chars(k.ptr + 1, end, entry.factor);
    if (factor.ec != std::errc() || !(entry.factor > 0.0) || !std::isfinite(entry.factor)) return false;
    if (factor.ptr != end) entry.reason.assign(factor.ptr + 1, end);
    journal.push_back(std::move(entry));
  }
  return true;
}

/// Parses as many numbers as there are elements, separated by blanks.
bool read_globals(const std::string& text, std::vector<double>& globals) {
  const char *at = text.data(), *const end = at + text.size();
  for (double& value : globals) {
    if (&value != globals.data() && (at == end || *at++ != ' ')) return false;
    const auto [next, status] = std::from_chars(at, end, value);
    if (status != std::errc() || !std::isfinite(value)) return false;
    at = next;
  }
  return at == end;
}

bool read_step(const std::string& text, Step& k) {
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), k);
  return status == std::errc() && end == text.data() + text.size() && k >= 0;
}

/// The values of two schedules at step k, if their texts can be parsed.
std::string difference(const std::string& was, const std::string& is, Step k) {
  try {
    const double before = parse(was)(k), after = parse(is)(k);
    return fmt::format(": at k = {} it goes from {} to {}", k, before, after);
  } catch (const ValueError&) {
    return "";
  }
}

}  // namespace

void Optimizer::Engine::scale_lr(double factor, const std::string& reason) {
  if (!(factor > 0.0) || !std::isfinite(factor)) {
    fail<ValueError>("{}: lr is to be scaled by {}, expected a positive number", definition_.name, factor);
  }
  if (reason.find('\n') != std::string::npos) {
    fail<ValueError>("{}: the reason to scale lr is more than one line", definition_.name);
  }
  journal_.push_back({k_, factor, reason});
}

/// The texts of a state that must agree with this optimizer's.
std::map<std::string, std::string> Optimizer::Engine::settings() const {
  std::map<std::string, std::string> texts;
  texts["optimizer"] = definition_.name;
  texts["variant"] = fmt::format("{}{}{}", variant_text(definition_.rounding, definition_.decay), definition_.variant,
                                 definition_.maximize ? ", maximize" : "");
  texts["clip_norm"] = definition_.clip_norm.text();
  if (averages_) {
    texts["average"] = averages_->equal ? "equal" : averages_->decay.text();
    texts["average"] += fmt::format(", from {} every {}{}", averages_->start, averages_->every,
                                    averages_->warmup && !averages_->equal ? ", warmed up" : "");
  }
  if (lookahead_) texts["lookahead"] = fmt::format("every {}, share {}", lookahead_->every, lookahead_->share);
  if (adaptive_clip_) {
    texts["adaptive clip"] = fmt::format("to {}, eps {}", adaptive_clip_->clipping, adaptive_clip_->eps);
  }
  for (std::size_t group = 0; group < groups_.size(); ++group) {
    texts[fmt::format("group {}/name", group)] = groups_[group].name;
    if (clipping_[group]) texts[fmt::format("group {}/clip_norm", group)] = clipping_[group]->text();
    for (std::size_t i = 0; i < definition_.hypers.size(); ++i) {
      texts[fmt::format("group {}/{}", group, definition_.hypers[i].name)] = hypers_[group][i].text();
    }
  }
  return texts;
}

/// The names of a group's parameters, a line each.
std::string Optimizer::Engine::members(std::size_t group) const {
  std::string names;
  for (const Slot& slot : slots_) {
    if (slot.group == group) names += slot.parameter.name() + '\n';
  }
  return names;
}

OptimizerState Optimizer::Engine::state() const {
  check_not_swapped();
  check_values();
  // What is owed is paid, instead of saved: that does not change what the rows will be.
  for (const Slot& slot : slots_) slot.parameter.value();
  OptimizerState result;
  result.texts = settings();
  for (std::size_t group = 0; group < groups_.size(); ++group) result.texts[members_key(group)] = members(group);
  result.texts["k"] = fmt::format("{}", k_);
  result.texts["journal"] = journal_text(journal_);
  result.texts["samples"] = fmt::format("{}", samples_);
  if (!globals_.empty()) result.texts["globals"] = fmt::format("{}", fmt::join(globals_, " "));
  for (const auto& [name, text] : notes_) result.texts["note/" + name] = text;
  for (const Slot& slot : slots_) {
    const std::string& name = slot.parameter.name();
    if (name.empty()) {
      fail<ValueError>("{}: parameter {} has no name to save its state under; Parameter::named gives it one",
                       definition_.name, slot.label);
    }
    Tensor counts = empty({counters(definition_)}, Dtype::i64);
    auto* numbers = counts.mutable_data<std::int64_t>();
    numbers[0] = slot.updates;
    numbers =
        std::transform(slot.products.begin(), slot.products.end(), numbers + 1, std::bit_cast<std::int64_t, double>);
    if (definition_.keeps_sums)
      std::transform(slot.sums.begin(), slot.sums.end(), numbers, std::bit_cast<std::int64_t, double>);
    if (!result.tensors.emplace(name + "/counters", counts).second) {
      fail<ValueError>("{}: two parameters are named '{}', so their states cannot be told apart", definition_.name,
                       name);
    }
    for (std::size_t i = 0; i < slot.states.size(); ++i) {
      if (slot.states[i].defined()) result.tensors[name + "/" + definition_.states[i].name] = slot.states[i];
    }
    if (slot.master.defined()) result.tensors[name + "/master"] = slot.master;
    if (averages_) result.tensors[name + "/average"] = slot.average;
    if (slot.slow.defined()) result.tensors[name + "/slow"] = slot.slow;
  }
  return result;
}

void Optimizer::Engine::load(const OptimizerState& state, const LoadOptions& options) {
  check_not_swapped();
  check_values();
  pay_all();
  std::string problems;
  const auto problem = [&]<class... Args>(fmt::format_string<Args...> text, Args&&... args) {
    problems += "\n  " + fmt::format(text, std::forward<Args>(args)...);
  };
  const auto text = [&](const std::string& name) {
    const auto found = state.texts.find(name);
    return found == state.texts.end() ? std::string() : found->second;
  };

  Step k = 0;
  if (!read_step(text("k"), k)) problem("k is '{}', expected a number of steps", text("k"));
  Step samples = 0;
  if (!read_step(text("samples"), samples)) problem("samples is '{}', expected a number", text("samples"));
  std::vector<double> globals(definition_.globals.size());
  if (!read_globals(text("globals"), globals)) {
    problem("globals are '{}', expected {} numbers", text("globals"), globals.size());
  }
  std::vector<JournalEntry> journal;
  if (!read_journal(text("journal"), journal)) problem("the journal is '{}'", text("journal"));

  // Tensors: exactly those of all slots.
  const bool adds_averages = averages_ && options.accept_changes && !state.texts.contains("average");
  if (adds_averages || !averages_) samples = 0;
  const std::map<std::string, std::size_t> groups_before = groups_of(state);
  std::vector<Slot> next = slots_;
  std::set<std::string> known, owners;
  const auto find = [&](const std::string& name, Dtype dtype, const Shape& shape) -> const Tensor* {
    known.insert(name);
    const auto found = state.tensors.find(name);
    if (found == state.tensors.end()) {
      problem("missing: {} {} {}", name, dtype, shape);
    } else if (found->second.dtype() != dtype || !(found->second.shape() == shape)) {
      problem("{}: got {} {}, expected {} {}", name, found->second.dtype(), found->second.shape(), dtype, shape);
    } else {
      return &found->second;
    }
    return nullptr;
  };
  const Predicate may_be_missing = named(options.allow_missing);
  for (Slot& slot : next) {
    const std::string& name = slot.parameter.name();
    owners.insert(name);
    slot.states.clear();
    slot.updates = 0;
    slot.products.fill(1.0);
    slot.sums.fill(0.0);
    slot.slow = Tensor();
    if (!state.tensors.contains(name + "/counters") && !options.allow_missing.empty() &&
        may_be_missing(slot.parameter)) {
      if (averages_) slot.average = slot.weights();
      continue;
    }
    const Tensor* counts = find(name + "/counters", Dtype::i64, {counters(definition_)});
    const std::int64_t* numbers = counts ? counts->data<std::int64_t>() : nullptr;
    if (numbers != nullptr) {
      slot.updates = numbers[0];
      for (std::size_t i = 0; i < max_products; ++i) slot.products[i] = std::bit_cast<double>(numbers[i + 1]);
      for (std::size_t i = 0; definition_.keeps_sums && i < max_sums; ++i) {
        slot.sums[i] = std::bit_cast<double>(numbers[i + 1 + max_products]);
      }
      if (slot.updates < 0) problem("{}/counters: {} updates", name, slot.updates);
    }
    const auto before = groups_before.find(name);
    if (before != groups_before.end() && before->second != slot.group && !options.accept_changes) {
      problem("'{}' was in group {} '{}', is in group {} '{}'; LoadOptions{{.accept_changes = true}} takes it", name,
              before->second, text(fmt::format("group {}/name", before->second)), slot.group, groups_[slot.group].name);
    }
    if (slot.master.defined()) {
      const Tensor* master = find(name + "/master", Dtype::f32, slot.parameter.shape());
      if (master != nullptr) slot.master = *master;
    }
    // Slow weights are optional: they are created at a parameter's first update, also after loading a state without
    // them.
    if (lookahead_ && slot.updates > 0 && !(options.accept_changes && !state.tensors.contains(name + "/slow"))) {
      const Tensor* slow = find(name + "/slow", Dtype::f32, slot.parameter.shape());
      if (slow != nullptr) slot.slow = *slow;
    }
    if (adds_averages) {
      slot.average = zeros(slot.parameter.shape());
    } else if (averages_) {
      const Tensor* average = find(name + "/average", Dtype::f32, slot.parameter.shape());
      if (average != nullptr) slot.average = *average;
    }
    if (slot.updates == 0 && numbers != nullptr) continue;  // a parameter without updates has no state
    for (const StateSpec& spec : definition_.states) {
      const Tensor like = make_state(spec, slot.parameter);
      const std::string full = name + "/" + spec.name;
      const bool absent = !like.defined() ||  // not one of the owners
                          (spec.optional && options.accept_changes && !state.tensors.contains(full));
      const Tensor* tensor = absent ? &like : find(full, like.dtype(), like.shape());
      if (tensor != nullptr) slot.states.push_back(*tensor);
    }
  }
  for (const auto& [name, tensor] : state.tensors) {
    const bool dropped = options.accept_changes && owners.contains(name.substr(0, name.rfind('/')));
    if (!known.contains(name) && !dropped) problem("extra: {} {} {}", name, tensor.dtype(), tensor.shape());
  }

  // Settings: differences are errors unless accept_changes.
  std::map<std::string, std::string> notes;
  const std::map<std::string, std::string> mine = settings();
  for (const auto& [name, is] : mine) {
    if (name == "optimizer" && text(name) != is) {
      problem("the state is of '{}', this is {}", text(name), is);
    } else if (name.ends_with("/name") && !state.texts.contains(name)) {
      continue;  // a state of a version that did not save the groups' names
    } else if (text(name) != is && !options.accept_changes) {
      problem("{} was '{}', is '{}'{}; LoadOptions{{.accept_changes = true}} takes it", name, text(name), is,
              difference(text(name), is, k));
    }
  }
  for (const auto& [name, value] : state.texts) {
    if (name.starts_with("note/")) {
      notes[name.substr(5)] = value;
    } else if (!mine.contains(name) && name != "k" && name != "journal" && name != "samples" && name != "globals" &&
               !name.ends_with("/parameters") && !options.accept_changes) {
      problem("{} was '{}', is not here; LoadOptions{{.accept_changes = true}} takes it", name, value);
    }
  }
  if (!problems.empty()) {
    fail<ValueError>("{}: the state does not fit, nothing was loaded:{}", definition_.name, problems);
  }
  if (options.check_only) return;

  for (Slot& slot : next) {
    for (Tensor& tensor : slot.states) {
      if (tensor.defined()) tensor = tensor.clone();
    }
    if (slot.master.defined()) slot.master = slot.master.clone();
    slot.version = ~0u;
    if (slot.slow.defined()) slot.slow = slot.slow.clone();
    if (averages_) slot.average = slot.average.clone();
  }
  samples_ = samples;
  slots_ = std::move(next);
  forget_debts();
  active_.clear();
  k_ = k;
  globals_ = std::move(globals);
  journal_ = std::move(journal);
  notes_ = std::move(notes);
}

/// The running products and sums of a parameter of a group after `updates` updates.
Now Optimizer::Engine::now_after(Step updates, std::size_t group, Step k) const {
  Now now;
  now.globals = definition_.globals;
  now.products.fill(1.0);
  for (now.t = 1; now.t <= updates; ++now.t) {
    // The last of them was update k - 1.
    now.k = std::max<Step>(0, k - updates + now.t - 1);
    for (std::size_t i = 0; i < definition_.hypers.size(); ++i) now.hyper[i] = hyper(i, group, now.k);
    optimizer_->prepare(now);
  }
  return now;
}

void Optimizer::Engine::start_from(Step k, const std::map<std::string, ParameterStart>& parameters) {
  check_not_swapped();
  check_values();
  pay_all();
  std::string problems;
  const auto problem = [&]<class... Args>(fmt::format_string<Args...> text, Args&&... args) {
    problems += "\n  " + fmt::format(text, std::forward<Args>(args)...);
  };
  if (k < 0) problem("k is {}, expected at least 0", k);

  std::vector<Slot> next = slots_;
  std::set<std::string> known;
  std::map<std::pair<std::size_t, Step>, Now> nows;
  for (Slot& slot : next) {
    const std::string& name = slot.parameter.name();
    slot.states.clear();
    slot.updates = 0;
    slot.products.fill(1.0);
    slot.sums.fill(0.0);
    const auto found = parameters.find(name);
    if (found == parameters.end()) continue;
    known.insert(name);
    const ParameterStart& start = found->second;
    if (start.updates < 0 || start.updates > std::max<Step>(k, 0)) {
      problem("{}: {} updates, expected 0 to k, which is {}", name, start.updates, k);
      continue;
    }
    std::size_t taken = 0;
    for (const StateSpec& spec : definition_.states) {
      const Tensor like = make_state(spec, slot.parameter);
      const auto tensor = start.tensors.find(spec.name);
      if (!like.defined() || start.updates == 0) continue;
      if (tensor == start.tensors.end()) {
        problem("missing: {}/{} {} {}", name, spec.name, like.dtype(), like.shape());
        continue;
      }
      ++taken;
      if (tensor->second.dtype() != like.dtype() || !(tensor->second.shape() == like.shape())) {
        problem("{}/{}: got {} {}, expected {} {}", name, spec.name, tensor->second.dtype(), tensor->second.shape(),
                like.dtype(), like.shape());
      }
    }
    if (taken != start.tensors.size()) {
      std::string given, wanted;
      for (const auto& [what, tensor] : start.tensors) given += (given.empty() ? "" : ", ") + what;
      for (const StateSpec& spec : definition_.states) wanted += (wanted.empty() ? "" : ", ") + spec.name;
      problem("{}: got {} after {} updates; {} keeps {}", name, given, start.updates, definition_.name,
              wanted.empty() ? "nothing" : wanted);
    }
    if (!problems.empty() || start.updates == 0) continue;
    for (const StateSpec& spec : definition_.states) {
      const auto tensor = start.tensors.find(spec.name);
      slot.states.push_back(tensor == start.tensors.end() ? Tensor() : tensor->second.clone());
    }
    slot.updates = start.updates;
    if (!start.bias_correction) {
      slot.products.fill(0.0);
      continue;
    }
    const auto [shared, first] = nows.try_emplace({slot.group, start.updates});
    if (first) shared->second = now_after(start.updates, slot.group, k);
    slot.products = shared->second.products;
    slot.sums = shared->second.sums;
  }
  for (const auto& [name, start] : parameters) {
    if (!known.contains(name)) problem("'{}' is no parameter of this optimizer", name);
  }
  if (!problems.empty())
    fail<ValueError>("{}: cannot start from this, nothing was changed:{}", definition_.name, problems);

  for (Slot& slot : next) {
    slot.version = ~0u;
    slot.slow = Tensor();
  }
  slots_ = std::move(next);
  forget_debts();
  active_.clear();
  k_ = k;
  globals_ = definition_.globals;
  samples_ = 0;
  journal_.clear();
  notes_.clear();
}

}  // namespace temper::optim
