#pragma once

#include <filesystem>

#include <temper/models/import/import_map.hpp>
#include <temper/models/llama/llama.hpp>

namespace temper::models {

/// The configuration in Hugging Face's config.json (the file, or the folder that holds it) of a model of the types
/// llama, mistral and qwen2. A sliding window bounds the context, up to which it changes nothing.
/// Throws: FileError for a file that is damaged, and for what Llama does not have, such as other activations, other
/// scaling of positions than linear and llama3, or quantized weights; the text lists all of it.
LlamaConfig read_llama_config(const std::filesystem::path& path);

/// Hugging Face's names for the tensors of a Llama: "model.layers.0.self_attn.q_proj.weight", with or without the
/// prefix "model.". With a tied head, a file may hold "lm_head.weight", "model.embed_tokens.weight" or both.
ImportMap llama_map(const LlamaConfig& config);

/// Loads Hugging Face's file, index of shards, or folder of a Llama into a model of the same sizes, all or nothing.
/// Throws: FileError when the file is damaged, or does not fit the model; then it lists every tensor that does not.
void load_llama(const std::filesystem::path& path, Llama& model, const MatchOptions& options = {});

/// Writes a folder with config.json and weights that Hugging Face's transformers loads. `end` is the token that ends a
/// text, for their generation; -1 for none. Throws: FileError when a file cannot be written.
void save_llama(const std::filesystem::path& folder, const Llama& model, std::int64_t end = -1);

}  // namespace temper::models
