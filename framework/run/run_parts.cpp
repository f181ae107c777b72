#include "framework/run/run_parts_internal.hpp"

#include <algorithm>
#include <charconv>
#include <functional>
#include <locale>
#include <sstream>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"

namespace temper::detail {

namespace {

std::string prefix(const std::string& name) { return name.empty() ? "" : name + "/"; }
std::string state_name(const std::string& name) { return "state/" + name; }

/// The tensors of models and of the program's own state.
Tensors all_tensors(const RunParts& parts) {
  Tensors all = model_tensors(parts);
  for (const auto& [name, value] : parts.state) {
    if (const auto* tensor = std::get_if<Tensor>(&value)) all.emplace(state_name(name), *tensor);
  }
  return all;
}

/// The part of a combined state that belongs to one optimizer.
optim::OptimizerState part_of(const optim::OptimizerState& state, const std::string& name) {
  optim::OptimizerState part;
  const std::string begin = prefix(name);
  for (const auto& [key, tensor] : state.tensors) {
    if (key.starts_with(begin)) part.tensors.emplace(key.substr(begin.size()), tensor);
  }
  for (const auto& [key, text] : state.texts) {
    if (key.starts_with(begin)) part.texts.emplace(key.substr(begin.size()), text);
  }
  return part;
}

std::string text_of(const data::LoaderState& state) {
  return fmt::format("{} {} {}", state.epoch, state.batch, state.seed);
}

bool read(const std::string& text, data::LoaderState& state) {
  std::istringstream stream(text);
  stream.imbue(std::locale::classic());
  return (stream >> state.epoch >> state.batch >> state.seed) && (stream >> std::ws).eof();
}

template <class T>
bool read_number(const std::string& text, T& value) {
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stopped == end;
}

}  // namespace

Tensors model_tensors(const RunParts& parts) {
  Tensors all;
  for (const auto& [name, model] : parts.models) {
    for (const auto& [key, tensor] : state_dict(*model)) all.emplace(prefix(name) + key, tensor);
  }
  return all;
}

Checkpoint checkpoint_of(const RunParts& parts) {
  Checkpoint checkpoint{.model = all_tensors(parts), .random = random_state()};
  for (const auto& [name, optimizer] : parts.optimizers) {
    check_no_gradient_waits(*optimizer);
    const optim::OptimizerState state = optimizer->state();
    for (const auto& [key, tensor] : state.tensors) checkpoint.optimizer.tensors.emplace(prefix(name) + key, tensor);
    for (const auto& [key, text] : state.texts) checkpoint.optimizer.texts.emplace(prefix(name) + key, text);
  }
  for (std::size_t i = 0; i < parts.loaders.size(); ++i) {
    const auto& [name, loader] = parts.loaders[i];
    if (i == 0) {
      checkpoint.loader = loader.state();
    } else {
      checkpoint.notes["loader/" + name] = text_of(loader.state());
    }
  }
  for (const auto& [name, value] : parts.state) {
    std::string& note = checkpoint.notes[state_name(name)];
    if (const auto* number = std::get_if<double*>(&value)) note = fmt::format("{}", **number);
    if (const auto* number = std::get_if<std::int64_t*>(&value)) note = fmt::format("{}", **number);
    if (std::holds_alternative<Tensor>(value)) checkpoint.notes.erase(state_name(name));
  }
  return checkpoint;
}

void restore(const Checkpoint& checkpoint, const RunParts& parts) {
  Tensors targets = all_tensors(parts);
  std::string problems = state_problems(targets, checkpoint.model);
  for (const auto& [name, optimizer] : parts.optimizers) {
    try {
      optimizer->load(part_of(checkpoint.optimizer, name), {.check_only = true});
    } catch (const ValueError& error) {
      problems += fmt::format("\n  {}{}", prefix(name), error.what());
    }
  }
  const auto note = [&](const std::string& key) {
    const auto found = checkpoint.notes.find(key);
    return found == checkpoint.notes.end() ? std::string() : found->second;
  };
  std::vector<data::LoaderState> loaders(parts.loaders.size());
  for (std::size_t i = 0; i < loaders.size(); ++i) {
    const auto& [name, loader] = parts.loaders[i];
    if (i == 0) loaders[i] = checkpoint.loader;
    const bool good = i == 0 || read(note("loader/" + name), loaders[i]);
    if (!good || loaders[i].epoch < 1 || loaders[i].batch < 0 || loaders[i].batch > loader.batches) {
      problems += fmt::format("\n  loader {}: the position is '{}', its epochs have {} batches", name,
                              printable(note("loader/" + name)), loader.batches);
    }
  }
  std::vector<std::function<void()>> assignments;
  for (const auto& [name, value] : parts.state) {
    const std::string text = note(state_name(name));
    bool good = true;
    if (const auto* target = std::get_if<double*>(&value)) {
      double number = 0;
      good = read_number(text, number);
      assignments.emplace_back([to = *target, number] { *to = number; });
    } else if (const auto* whole = std::get_if<std::int64_t*>(&value)) {
      std::int64_t number = 0;
      good = read_number(text, number);
      assignments.emplace_back([to = *whole, number] { *to = number; });
    }
    if (!good) problems += fmt::format("\n  state {}: '{}' is no number", name, printable(text));
  }
  if (!problems.empty()) fail<FileError>("does not fit the run, nothing was loaded:{}", problems);

  for (auto& [name, target] : targets) target.copy_from(checkpoint.model.find(name)->second);
  for (const auto& [name, optimizer] : parts.optimizers) optimizer->load(part_of(checkpoint.optimizer, name));
  for (std::size_t i = 0; i < loaders.size(); ++i) parts.loaders[i].value.restore(loaders[i]);
  for (const auto& assign : assignments) assign();
  set_random_state(checkpoint.random);
}

void check_receivers(const GradientReceivers& receivers, const RunParts& parts) {
  std::vector<Tensor> known;
  for (const auto& [name, model] : parts.models) {
    for (const Parameter& parameter : model->parameters()) known.push_back(parameter.value());
  }
  for (const auto& [name, optimizer] : parts.optimizers) {
    for (const optim::Group& group : optimizer->groups()) {
      for (const Parameter& parameter : group.parameters) known.push_back(parameter.value());
    }
  }
  for (const auto& [name, value] : parts.state) {
    if (const auto* tensor = std::get_if<Tensor>(&value)) known.push_back(*tensor);
  }
  for (const auto& parameter : receivers.living()) {
    if (std::ranges::any_of(known, [&](const Tensor& tensor) { return tensor.same(parameter->value); })) continue;
    fail<ValueError>(
        "a parameter {} ({}) gets gradients, but neither a model nor an optimizer of the run has it: it would be "
        "neither "
        "trained nor saved; is it missing in members()? freeze() what is to stay as it is",
        parameter->value.shape(), to_string(parameter->role));
  }
}

}  // namespace temper::detail
