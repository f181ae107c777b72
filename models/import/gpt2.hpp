#pragma once

#include <filesystem>

#include <temper/models/gpt/gpt.hpp>
#include <temper/models/import/import_map.hpp>

namespace temper::models {

/// What Hugging Face calls the tensors of a GPT-2: "h.0.attn.c_attn.weight", with or without "transformer." before it,
/// weights [in, out]. The buffers with the causal mask are ignored, "lm_head.weight" is the tied embedding, of
/// which a file may hold either or both.
ImportMap gpt2_map(const GptConfig& config);

/// Reads a GPT-2 as Hugging Face stores it (model.safetensors) into a model of the same sizes, all or nothing.
/// Throws: FileError when the file is damaged, or does not fit the model; then it lists every tensor that does not.
void load_gpt2(const std::filesystem::path& path, Gpt& model, const MatchOptions& options = {});

/// Writes a model so that Hugging Face's GPT-2 reads it. Throws: FileError when the file cannot be written.
void save_gpt2(const std::filesystem::path& path, const Gpt& model);

}  // namespace temper::models
