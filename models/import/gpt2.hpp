#pragma once

#include <filesystem>

#include <temper/models/gpt/gpt.hpp>
#include <temper/models/import/import_map.hpp>

namespace temper::models {

/// Hugging Face's names for the tensors of a GPT-2: "h.0.attn.c_attn.weight", with or without the prefix
/// "transformer.", with weights [in, out]. The buffers with the causal mask are ignored. With a tied head, a file may
/// hold "lm_head.weight", "wte.weight" or both.
ImportMap gpt2_map(const GptConfig& config);

/// Loads Hugging Face's file of a GPT-2 (model.safetensors) into a model of the same sizes, all or nothing.
/// Throws: FileError when the file is damaged, or does not fit the model; then it lists every tensor that does not.
void load_gpt2(const std::filesystem::path& path, Gpt& model, const MatchOptions& options = {});

/// Writes a model as a file that Hugging Face's GPT-2 loads. Throws: FileError when the file cannot be written.
void save_gpt2(const std::filesystem::path& path, const Gpt& model);

}  // namespace temper::models
