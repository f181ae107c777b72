// Saving and loading of optimizers.

#include <temper/optim/state.hpp>

#include <bit>
#include <charconv>
#include <cmath>
#include <set>
#include <sstream>

#include "framework/core/format_internal.hpp"
#include "optim/engine_internal.hpp"

namespace temper::optim {

namespace {

constexpr std::int64_t counters = 1 + static_cast<std::int64_t>(max_products);

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

bool read_step(const std::string& text, Step& k) {
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), k);
  return status == std::errc() && end == text.data() + text.size() && k >= 0;
}

/// What two schedules say at step k, as far as their texts can be read.
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

/// The texts that say how this optimizer would go on.
std::map<std::string, std::string> Optimizer::Engine::settings() const {
  std::map<std::string, std::string> texts;
  texts["optimizer"] = definition_.name;
  texts["variant"] = fmt::format("{}{}{}", variant_text(definition_.rounding, definition_.decay), definition_.variant,
                                 definition_.maximize ? ", maximize" : "");
  texts["clip_norm"] = definition_.clip_norm.text();
  if (averages_) {
    texts["average"] = averages_->equal ? "equal" : averages_->decay.text();
    texts["average"] += fmt::format(", from {} every {}", averages_->start, averages_->every);
  }
  for (std::size_t group = 0; group < groups_.size(); ++group) {
    if (clipping_[group]) texts[fmt::format("group {}/clip_norm", group)] = clipping_[group]->text();
    for (std::size_t i = 0; i < definition_.hypers.size(); ++i) {
      texts[fmt::format("group {}/{}", group, definition_.hypers[i].name)] = hypers_[group][i].text();
    }
  }
  return texts;
}

OptimizerState Optimizer::Engine::state() const {
  if (swapped_) {
    fail<ValueError>("{}: the parameters hold their averages; swap_averages() takes that back", definition_.name);
  }
  OptimizerState result;
  result.texts = settings();
  result.texts["k"] = fmt::format("{}", k_);
  result.texts["journal"] = journal_text(journal_);
  result.texts["samples"] = fmt::format("{}", samples_);
  for (const auto& [name, text] : notes_) result.texts["note/" + name] = text;
  for (const Slot& slot : slots_) {
    const std::string& name = slot.parameter.name();
    if (name.empty()) {
      fail<ValueError>("{}: parameter {} has no name to save its state under; Parameter::named gives it one",
                       definition_.name, slot.label);
    }
    Tensor counts = empty({counters}, Dtype::i64);
    auto* numbers = counts.mutable_data<std::int64_t>();
    numbers[0] = slot.updates;
    for (std::size_t i = 0; i < max_products; ++i) numbers[i + 1] = std::bit_cast<std::int64_t>(slot.products[i]);
    if (!result.tensors.emplace(name + "/counters", counts).second) {
      fail<ValueError>("{}: two parameters are named '{}', so their states cannot be told apart", definition_.name,
                       name);
    }
    for (std::size_t i = 0; i < slot.states.size(); ++i) {
      if (slot.states[i].defined()) result.tensors[name + "/" + definition_.states[i].name] = slot.states[i];
    }
    if (slot.master.defined()) result.tensors[name + "/master"] = slot.master;
    if (averages_) result.tensors[name + "/average"] = slot.average;
  }
  return result;
}

void Optimizer::Engine::load(const OptimizerState& state, const LoadOptions& options) {
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
  std::vector<JournalEntry> journal;
  if (!read_journal(text("journal"), journal)) problem("the journal is '{}'", text("journal"));

  // Tensors: every slot's own, and nothing else.
  std::vector<Slot> next = slots_;
  std::set<std::string> known;
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
    slot.states.clear();
    slot.updates = 0;
    slot.products.fill(1.0);
    if (!state.tensors.contains(name + "/counters") && !options.allow_missing.empty() &&
        may_be_missing(slot.parameter)) {
      if (averages_) slot.average = slot.weights();
      continue;
    }
    const Tensor* counts = find(name + "/counters", Dtype::i64, {counters});
    const std::int64_t* numbers = counts ? counts->data<std::int64_t>() : nullptr;
    if (numbers != nullptr) {
      slot.updates = numbers[0];
      for (std::size_t i = 0; i < max_products; ++i) slot.products[i] = std::bit_cast<double>(numbers[i + 1]);
      if (slot.updates < 0) problem("{}/counters: {} updates", name, slot.updates);
    }
    if (slot.master.defined()) {
      const Tensor* master = find(name + "/master", Dtype::f32, slot.parameter.shape());
      if (master != nullptr) slot.master = *master;
    }
    if (averages_) {
      const Tensor* average = find(name + "/average", Dtype::f32, slot.parameter.shape());
      if (average != nullptr) slot.average = *average;
    }
    if (slot.updates == 0 && numbers != nullptr) continue;  // no state yet
    for (const StateSpec& spec : definition_.states) {
      const Tensor like = make_state(spec, slot.parameter);
      const Tensor* tensor = like.defined() ? find(name + "/" + spec.name, like.dtype(), like.shape()) : &like;
      if (tensor != nullptr) slot.states.push_back(*tensor);
    }
  }
  for (const auto& [name, tensor] : state.tensors) {
    if (!known.contains(name)) problem("extra: {} {} {}", name, tensor.dtype(), tensor.shape());
  }

  // Settings: those that differ must be accepted.
  std::map<std::string, std::string> notes;
  const std::map<std::string, std::string> mine = settings();
  for (const auto& [name, is] : mine) {
    if (name == "optimizer" && text(name) != is) {
      problem("the state is of '{}', this is {}", text(name), is);
    } else if (text(name) != is && !options.accept_changes) {
      problem("{} was '{}', is '{}'{}; LoadOptions{{.accept_changes = true}} takes it", name, text(name), is,
              difference(text(name), is, k));
    }
  }
  for (const auto& [name, value] : state.texts) {
    if (name.starts_with("note/")) {
      notes[name.substr(5)] = value;
    } else if (!mine.contains(name) && name != "k" && name != "journal" && name != "samples" &&
               !options.accept_changes) {
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
    if (averages_) slot.average = slot.average.clone();
  }
  samples_ = samples;
  slots_ = std::move(next);
  active_.clear();
  k_ = k;
  journal_ = std::move(journal);
  notes_ = std::move(notes);
}

}  // namespace temper::optim
