#include <temper/io/checkpoint.hpp>

#include <charconv>
#include <cmath>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/kernels/bfloat16.hpp"

namespace temper {

namespace {

using detail::printable;

// Names in the file, which is an ordinary safetensors file.
constexpr std::string_view format_key = "temper.checkpoint";
constexpr std::string_view format_version = "1";
constexpr std::string_view model_prefix = "model/", optimizer_prefix = "optimizer/", note_prefix = "note/",
                           environment_prefix = "environment/";

/// Parses exactly these numbers, none negative, separated by single blanks.
template <class... T>
bool read_numbers(const std::string& text, T&... numbers) {
  const char *at = text.data(), *const end = at + text.size();
  const auto read = [&](auto& number) {
    if (at != text.data() && (at == end || *at++ != ' ')) return false;
    const auto [next, status] = std::from_chars(at, end, number);
    at = next;
    return status == std::errc() && number >= 0;
  };
  return (read(numbers) && ...) && at == end;
}

bool has_prefix(std::string_view text, std::string_view prefix, std::string& rest) {
  if (!text.starts_with(prefix)) return false;
  rest = text.substr(prefix.size());
  return true;
}

/// A tensor of an optimizer's state must be finite, and a second moment not negative: otherwise its parameter would
/// never be updated again, or become NaN. Returns what is wrong; empty if nothing is.
std::string moment_problem(const std::string& name, const Tensor& tensor) {
  const bool square = name.ends_with("_sq") || name.ends_with("square_avg");
  const auto is_bad = [square](float value) { return !std::isfinite(value) || (square && value < 0); };
  const auto problem = [&](float value) { return fmt::format("{} holds {}", printable(name), value); };
  if (tensor.dtype() == Dtype::f32) {
    for (const float value : tensor.values<float>()) {
      if (is_bad(value)) return problem(value);
    }
  } else if (tensor.dtype() == Dtype::bf16) {
    for (const BFloat16 narrow : tensor.values<BFloat16>()) {
      if (const float value = kernels::widened(narrow); is_bad(value)) return problem(value);
    }
  }
  return {};
}

}  // namespace

void save_checkpoint(const std::filesystem::path& file, const Checkpoint& checkpoint) {
  // A checkpoint that could not be loaded must not be saved: it would replace an earlier one that can.
  std::string problems;
  for (const auto& [name, tensor] : checkpoint.optimizer.tensors) {
    if (const std::string bad = moment_problem(name, tensor); !bad.empty()) problems += "\n  " + bad;
  }
  if (!problems.empty()) {
    fail<ValueError>("{}: the optimizer's state is not finite, so nothing could go on from this checkpoint:{}",
                     printable(file.native()), problems);
  }
  Tensors tensors;
  Metadata metadata{{std::string(format_key), std::string(format_version)}};
  const auto add = [](auto& to, std::string_view prefix, const auto& from) {
    for (const auto& [name, value] : from) to[std::string(prefix) + name] = value;
  };
  add(tensors, model_prefix, checkpoint.model);
  add(tensors, optimizer_prefix, checkpoint.optimizer.tensors);
  add(metadata, optimizer_prefix, checkpoint.optimizer.texts);
  add(metadata, environment_prefix, checkpoint.environment);
  add(metadata, note_prefix, checkpoint.notes);
  const auto& [seed, draws, tapes] = checkpoint.random;
  metadata["random"] = fmt::format("{} {} {}", seed, draws, tapes);
  const auto& [epoch, batch, order_seed] = checkpoint.loader;
  metadata["loader"] = fmt::format("{} {} {}", epoch, batch, order_seed);
  save_tensors(file, tensors, metadata);
}

Checkpoint load_checkpoint(const std::filesystem::path& file) {
  TensorFile read = load_tensors(file, {.require_checksums = true});
  std::string problems;
  const auto problem = [&]<class... Args>(fmt::format_string<Args...> text, Args&&... args) {
    problems += "\n  " + fmt::format(text, std::forward<Args>(args)...);
  };
  const auto text = [&](std::string_view key) {
    const auto found = read.metadata.find(key);
    return found == read.metadata.end() ? std::string() : found->second;
  };
  if (const std::string version = text(format_key); version != format_version) {
    if (version.empty()) fail<FileError>("{}: not a checkpoint", printable(file.native()));
    fail<FileError>("{}: a checkpoint of format {}, this program reads {}", printable(file.native()),
                    printable(version), format_version);
  }

  Checkpoint result;
  std::string name;
  for (auto& [full, tensor] : read.tensors) {
    if (has_prefix(full, model_prefix, name)) {
      result.model[name] = std::move(tensor);
    } else if (has_prefix(full, optimizer_prefix, name)) {
      if (const std::string bad = moment_problem(name, tensor); !bad.empty()) problem("{}", bad);
      result.optimizer.tensors[name] = std::move(tensor);
    } else {
      problem("tensor '{}' belongs to nothing", printable(full));
    }
  }
  for (auto& [key, value] : read.metadata) {
    if (has_prefix(key, optimizer_prefix, name)) result.optimizer.texts[name] = value;
    if (has_prefix(key, environment_prefix, name)) result.environment[name] = value;
    if (has_prefix(key, note_prefix, name)) result.notes[name] = value;
  }
  auto& [seed, draws, tapes] = result.random;
  if (!read_numbers(text("random"), seed, draws, tapes)) {
    problem("random is '{}', expected three numbers", printable(text("random")));
  }
  auto& [epoch, batch, order_seed] = result.loader;
  if (!read_numbers(text("loader"), epoch, batch, order_seed) || epoch < 1) {
    problem("loader is '{}', expected an epoch from 1, a batch and a seed", printable(text("loader")));
  }
  if (!problems.empty()) fail<FileError>("{}: no good checkpoint:{}", printable(file.native()), problems);
  return result;
}

namespace detail {

void check_no_gradient_waits(const optim::Optimizer& optimizer) {
  for (const optim::Group& group : optimizer.groups()) {
    for (const Parameter& parameter : group.parameters) {
      if (!parameter.has_gradient()) continue;
      fail<ValueError>(
          "checkpoint: the gradient of '{}' waits for a step, and a checkpoint holds no gradients; make it after "
          "{}'s step(), or after discard_gradients()",
          parameter.name(), optimizer.name());
    }
  }
}

void restore(const Checkpoint& checkpoint, Tensors& model, optim::Optimizer& optimizer) {
  std::string problems = state_problems(model, checkpoint.model);
  try {
    optimizer.load(checkpoint.optimizer, {.check_only = !problems.empty()});
  } catch (const ValueError& error) {
    problems += fmt::format("\n  {}", error.what());
  }
  if (!problems.empty()) fail<FileError>("checkpoint: does not fit the run, nothing was loaded:{}", problems);
  for (auto& [name, target] : model) target.copy_from(checkpoint.model.find(name)->second);
  set_random_state(checkpoint.random);
}

}  // namespace detail
}  // namespace temper
