#include <nlohmann/json.hpp>
#include <span>
#include <utility>
#include <vector>

#include <temper/io/shards.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/io/atomic_file_internal.hpp"
#include "framework/io/safetensors_internal.hpp"

namespace temper {

namespace fs = std::filesystem;

namespace {

std::uint64_t bytes_of(const Tensor& tensor) {
  return static_cast<std::uint64_t>(tensor.numel()) * size_of(tensor.dtype());
}

void remove_file(const fs::path& file) {
  std::error_code error;
  fs::remove(file, error);
  if (error) fail<FileError>("{}: cannot be removed: {}", detail::printable(file.native()), error.message());
}

}  // namespace

void save_shards(const fs::path& folder, const Tensors& tensors, const ShardOptions& options,
                 const Metadata& metadata) {
  if (options.max_bytes == 0) fail<ValueError>("save_shards: max_bytes 0, expected at least 1");
  if (tensors.empty()) fail<ValueError>("{}: no tensors to save", detail::printable(folder.native()));
  detail::check_names(tensors, metadata);
  std::vector<Tensors> shards(1);
  std::uint64_t in_shard = 0, total = 0;
  for (const auto& [name, tensor] : tensors) {
    const std::uint64_t bytes = bytes_of(tensor);
    // The sums do not overflow: all of it is in memory.
    if (!shards.back().empty() && in_shard + bytes > options.max_bytes) {
      shards.emplace_back();
      in_shard = 0;
    }
    shards.back().emplace(name, tensor);
    in_shard += bytes;
    total += bytes;
  }

  const fs::path index = folder / "model.safetensors.index.json", single = folder / "model.safetensors";
  remove_file(index);
  if (shards.size() == 1) return save_tensors(single, tensors, metadata);
  remove_file(single);
  nlohmann::json files = nlohmann::json::object();
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const std::string name = fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
    save_tensors(folder / name, shards[i], metadata);
    for (const auto& [tensor, value] : shards[i]) files[tensor] = name;
  }
  const nlohmann::json text = {{"metadata", {{"total_size", total}}}, {"weight_map", std::move(files)}};
  const std::string bytes = text.dump(2) + "\n";
  detail::AtomicFile file(index);
  file.write(std::as_bytes(std::span(bytes)));
  file.commit();
}

}  // namespace temper
