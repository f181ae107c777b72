#pragma once

#include <cstdint>
#include <filesystem>

#include <temper/temper.hpp>

namespace temper::exchange {

/// Whole numbers from 0 to below `end`.
inline Tensor random_ids(const Shape& shape, std::int64_t end) {
  return to(floor(uniform(shape, 0.0f, static_cast<float>(end) - 0.01f)), Dtype::i64);
}

/// Writes each bundled model as ONNX files, with inputs and what they give.
void write_onnx_models(const std::filesystem::path& folder);
/// The same of operations, one by one.
void write_onnx_operations(const std::filesystem::path& folder);
/// Writes folders for Hugging Face's transformers, with tokens and logits.
void write_folders(const std::filesystem::path& folder);

/// The largest difference of the embeddings that a model of Hugging Face's gives of recorded tokens from recorded ones.
double compare_embeddings(const std::filesystem::path& model, const std::filesystem::path& recorded);

}  // namespace temper::exchange
