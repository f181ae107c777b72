#pragma once

#include <concepts>
#include <filesystem>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <temper/autograd/parameter.hpp>
#include <temper/io/safetensors.hpp>

namespace temper {

/// What can be saved: a model, or anything else with `parameters()`, each of its own name. `buffers()`, where there are
/// any, have a name and a tensor and belong to the state too.
template <class M>
concept Savable = requires(const M& model) {
  { model.parameters() } -> std::convertible_to<std::vector<Parameter>>;
};

/// How tensors from elsewhere are matched to a model's, by name. In patterns * stands for any characters, ? for one.
struct MatchOptions {
  /// What theirs are called here, the first that fits: {"module.*", "*"} takes a prefix away. One * on each side at
  /// most.
  std::vector<std::pair<std::string, std::string>> rename = {};
  /// Patterns of their tensors, after renaming, that are left out.
  std::vector<std::string> skip = {};
  /// Patterns of the model's tensors that need not be there; they keep their values.
  std::vector<std::string> allow_missing = {};
};

namespace detail {

/// Throws: ValueError for a name that is there already.
void add_state(Tensors& state, const std::string& name, const Tensor& tensor);
/// Throws: ValueError for a state without tensors.
void check_state(const Tensors& state, std::string_view path);
/// What of a state does not fit, a line each; empty when all does. Dtypes must be equal.
std::string state_problems(const Tensors& state, const Tensors& source);
void copy_state(Tensors& state, Tensors source, const MatchOptions& options);
void load_state(Tensors& state, const std::filesystem::path& path, const MatchOptions& options);

}  // namespace detail

/// The tensors of a model by name, parameters and buffers, as PyTorch calls them. They share memory with the model.
/// Throws: ValueError when two have the same name.
template <Savable M>
Tensors state_dict(const M& model) {
  Tensors state;
  for (const Parameter& parameter : model.parameters()) detail::add_state(state, parameter.name(), parameter.value());
  if constexpr (requires { model.buffers(); }) {
    for (const auto& buffer : model.buffers()) detail::add_state(state, buffer.name, buffer.tensor);
  }
  return state;
}

/// Overwrites a model's parameters and buffers with tensors of the same names and shapes, all or nothing. Floats become
/// the model's dtype, f32 or bf16. PyTorch's counters of batches ("num_batches_tracked") are ignored.
/// Throws: FileError that lists every tensor that is missing, not expected, or of another shape or kind; ValueError for
/// a pattern that cannot be one.
template <Savable M>
void load_state_dict(M& model, const Tensors& state, const MatchOptions& options = {}) {
  static_assert(!std::is_const_v<M>, "load_state_dict: the model is const");
  Tensors targets = state_dict(model);
  detail::copy_state(targets, state, options);
}

/// Writes a model's parameters and buffers in safetensors format, which other programs read: save("net.safetensors",
/// model). Throws: ValueError for a model without any; as save_tensors.
template <Savable M>
void save(const std::filesystem::path& path, const M& model, const Metadata& metadata = {}) {
  const Tensors state = state_dict(model);
  detail::check_state(state, path.native());
  save_tensors(path, state, metadata);
}

/// Reads what save, or another program, wrote into a model of the same structure, all or nothing, as load_state_dict.
/// Fine-tuning with another number of classes: load(path, model, {.skip = {"fc.*"}, .allow_missing = {"fc.*"}}).
/// Throws: FileError when the file is damaged or does not fit the model; then it lists every tensor that is missing,
/// not expected, or of another shape or kind.
template <Savable M>
void load(const std::filesystem::path& path, M& model, const MatchOptions& options = {}) {
  static_assert(!std::is_const_v<M>, "load: the model is const");
  Tensors targets = state_dict(model);
  detail::load_state(targets, path, options);
}

}  // namespace temper
