#pragma once

#include <filesystem>
#include <string>

#include <temper/models/import/import_map.hpp>
#include <temper/nn/lora.hpp>

namespace temper::models {

/// Writes a model's adapters as a folder that PEFT loads: adapter_model.safetensors and adapter_config.json. `map`
/// gives the other program's names of the model's tensors, as llama_map(config) and gpt2_map(config) do; `base` the
/// name of the model that they belong to. Throws: ValueError for a model without adapters, or for adapters of different
/// ranks; FileError when a file cannot be written.
void save_peft(const std::filesystem::path& folder, nn::Module& model, const ImportMap& map,
               const std::string& base = "");

/// Freezes a model and gives it the adapters in a folder that PEFT or save_peft has written, for exactly the Linears
/// that the files have. Throws: FileError for files that are damaged or do not fit the model, which lists all that is
/// missing, not expected or different, and for what Linear does not have, such as DoRA; ValueError for a Linear that
/// has an adapter. The model is left as it was then.
nn::Lora load_peft(const std::filesystem::path& folder, nn::Module& model, const ImportMap& map);

}  // namespace temper::models
