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

/// What can be saved: a model, or anything else with `parameters()` of different names. If it has `buffers()`, each
/// with a name and a tensor, they are saved too.
template <class M>
concept Savable = requires(const M& model) {
  { model.parameters() } -> std::convertible_to<std::vector<Parameter>>;
};

/// How tensors from elsewhere are matched to a model's, by name. In patterns * stands for any characters, ? for one.
struct MatchOptions {
  /// Pairs of a pattern of the source's names and the model's name for it; the first match counts. {"module.*", "*"}
  /// removes a prefix. At most one * on each side.
  std::vector<std::pair<std::string, std::string>> rename = {};
  /// Patterns of the source's tensors, after renaming, that are not loaded.
  std::vector<std::string> skip = {};
  /// Patterns of the model's tensors that the source may lack; they keep their values.
  std::vector<std::string> allow_missing = {};
};

namespace detail {

/// Throws: ValueError for a name that is there already.
void add_state(Tensors& state, const std::string& name, const Tensor& tensor);
/// Throws: ValueError for a state without tensors.
void check_state(const Tensors& state, std::string_view path);
/// A line for each tensor that does not fit; empty when all fit. Dtypes must be equal.
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
/// a malformed pattern.
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
