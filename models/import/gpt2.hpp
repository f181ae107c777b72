#pragma once

#include <cstdint>
#include <filesystem>

#include <temper/models/gpt/gpt.hpp>
#include <temper/models/import/import_map.hpp>

namespace temper::models {

/// The configuration in Hugging Face's config.json (the file, or the folder that holds it) of a model of the type gpt2.
/// Throws: FileError for a file that is damaged, and for what Gpt does not have, such as other activations or epsilons;
/// the text lists all of it.
GptConfig read_gpt2_config(const std::filesystem::path& path);

/// Hugging Face's names for the tensors of a GPT-2: "h.0.attn.c_attn.weight", with or without the prefix
/// "transformer.", with weights [in, out]. The buffers with the causal mask are ignored. With a tied head, a file may
/// hold "lm_head.weight", "wte.weight" or both.
ImportMap gpt2_map(const GptConfig& config);

/// Loads Hugging Face's file, index of shards, or folder of a GPT-2 into a model of the same sizes, all or nothing.
/// Throws: FileError when the file is damaged, or does not fit the model; then it lists every tensor that does not.
void load_gpt2(const std::filesystem::path& path, Gpt& model, const MatchOptions& options = {});

/// Writes a folder with config.json and weights, in shards if they are large, that Hugging Face's transformers loads.
/// `end` is the token that begins and ends a text, for their generation; -1 for none. Throws: FileError when a file
/// cannot be written.
void save_gpt2(const std::filesystem::path& folder, const Gpt& model, std::int64_t end = -1);

}  // namespace temper::models
