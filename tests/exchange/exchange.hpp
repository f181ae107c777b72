#pragma once

#include <filesystem>

namespace temper::exchange {

/// Writes each bundled model, and operations that none of them has, as ONNX files, with inputs and what they give.
void write_onnx(const std::filesystem::path& folder);
/// Writes folders for Hugging Face's transformers, with tokens and logits.
void write_folders(const std::filesystem::path& folder);

/// The largest difference of the embeddings that a model of Hugging Face's gives of recorded tokens from recorded ones.
double compare_embeddings(const std::filesystem::path& model, const std::filesystem::path& recorded);

}  // namespace temper::exchange
