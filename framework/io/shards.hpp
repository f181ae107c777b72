#pragma once

#include <cstdint>
#include <filesystem>

#include <temper/io/save.hpp>

namespace temper {

struct ShardOptions {
  std::uint64_t max_bytes = 5'000'000'000;  ///< of the tensors in a file; a larger tensor has a file of its own
};

/// Writes tensors to a folder as Hugging Face does: "model-00001-of-00002.safetensors", ... in the order of their
/// names, and the index "model.safetensors.index.json", which appears last; or "model.safetensors" alone if all fit in
/// one file. load and load_tensors read the folder. An index, or a single file, that is there is removed first, so that
/// no program ever reads old and new files together. Throws: as save_tensors; ValueError for a limit of 0 and for no
/// tensors.
void save_shards(const std::filesystem::path& folder, const Tensors& tensors, const ShardOptions& options = {},
                 const Metadata& metadata = {});

/// The same for a model's parameters and buffers.
template <Savable M>
void save_shards(const std::filesystem::path& folder, const M& model, const ShardOptions& options = {},
                 const Metadata& metadata = {}) {
  save_shards(folder, state_dict(model), options, metadata);
}

}  // namespace temper
