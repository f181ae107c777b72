#pragma once

#include <filesystem>

namespace temper::exchange {

/// Writes each bundled model, and operations that none of them has, as ONNX files, with inputs and what they give.
void write_onnx(const std::filesystem::path& folder);
/// Writes folders for Hugging Face's transformers, with tokens and logits.
void write_folders(const std::filesystem::path& folder);

}  // namespace temper::exchange
