#pragma once

#include <concepts>
#include <filesystem>
#include <string>
#include <string_view>
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

namespace detail {

/// Throws: ValueError for a name that is there already.
void add_state(Tensors& state, const std::string& name, const Tensor& tensor);
/// What of a state does not fit, a line each; empty when all does.
std::string state_problems(const Tensors& state, const Tensors& source);
void copy_state(Tensors& state, const Tensors& source, std::string_view what);

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

/// Overwrites a model's parameters and buffers with tensors of the same names, shapes and dtypes, all or nothing.
/// Throws: FileError that lists every tensor that is missing, not expected, or of another shape or dtype.
template <Savable M>
void load_state_dict(M& model, const Tensors& state) {
  Tensors targets = state_dict(model);
  detail::copy_state(targets, state, "load_state_dict");
}

/// Writes a model's parameters and buffers in safetensors format, which other programs read: save("net.safetensors",
/// model). Throws: as save_tensors.
template <Savable M>
void save(const std::filesystem::path& path, const M& model, const Metadata& metadata = {}) {
  save_tensors(path, state_dict(model), metadata);
}

/// Reads what save wrote into a model of the same structure, all or nothing.
/// Throws: FileError when the file is damaged or does not fit the model; then it lists every tensor that is missing,
/// not expected, or of another shape or dtype.
template <Savable M>
void load(const std::filesystem::path& path, M& model) {
  Tensors targets = state_dict(model);
  detail::copy_state(targets, load_tensors(path).tensors, path.native());
}

}  // namespace temper
