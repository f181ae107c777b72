// Models in several files: an index says which file holds which tensor.

#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/io/safetensors_internal.hpp"

namespace temper::detail {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view index_ending = ".index.json";

/// Whether it names a file beside the index: a downloaded index must not make us read any other file.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find_first_of(std::string_view("/\\\0", 3)) == name.npos;
}

}  // namespace

std::map<std::string, std::string, std::less<>> parse_shard_index(std::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_discarded()) fail<FileError>("index_not_json: expected an index of shards");
  const auto map = json.is_object() ? json.find("weight_map") : json.end();
  if (!json.is_object() || map == json.end() || !map->is_object() || map->empty()) {
    fail<FileError>("index_without_map: no \"weight_map\" of tensors and files");
  }
  std::map<std::string, std::string, std::less<>> files;
  for (const auto& [tensor, file] : map->items()) {
    const auto* name = file.get_ptr<const std::string*>();
    if (name == nullptr || !is_plain_name(*name)) {
      fail<FileError>("index_bad_file: tensor '{}' is in {}, expected a file beside the index", printable(tensor),
                      printable(file.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
    }
    files.emplace(tensor, *name);
  }
  return files;
}

std::optional<fs::path> shard_index_of(const fs::path& path) {
  if (path.native().ends_with(index_ending)) return path;
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return std::nullopt;
  for (const char* name : {"model.safetensors.index.json", "model.safetensors"}) {
    // A folder with one file needs no index.
    if (fs::exists(path / name, ignored)) return path / name;
  }
  const bool torch =
      fs::exists(path / "pytorch_model.bin", ignored) || fs::exists(path / "pytorch_model.bin.index.json", ignored);
  fail<FileError>("{}: a folder without model.safetensors or model.safetensors.index.json{}{}",
                  printable(path.native()), torch ? ", with pytorch_model.bin" : "",
                  torch ? conversion_from_torch : "");
}

TensorFile read_shards(const fs::path& index, const LoadOptions& options,
                       const std::function<TensorFile(const fs::path&, const LoadOptions&)>& read) {
  if (!index.native().ends_with(index_ending)) return read(index, options);
  const std::string text = read_text(index, max_header_bytes);
  const auto file_of = with_path(index, [&] { return parse_shard_index(text); });
  std::set<std::string> names;
  for (const auto& [tensor, name] : file_of) names.insert(name);

  TensorFile all;
  std::string problems;
  LoadOptions rest = options;  // the limit is one for all shards
  for (const std::string& name : names) {
    TensorFile shard = read(index.parent_path() / name, rest);
    const auto belongs = [&](const std::string& tensor) {
      const auto found = file_of.find(tensor);
      if (found != file_of.end() && found->second == name) return true;
      problems += fmt::format("\n  not in the index: {} of {}", printable(tensor), name);
      return false;
    };
    for (auto& [tensor, value] : shard.tensors) {
      if (rest.max_bytes) *rest.max_bytes -= static_cast<std::uint64_t>(value.numel()) * size_of(value.dtype());
      if (belongs(tensor)) all.tensors.emplace(tensor, std::move(value));
    }
    for (auto& [tensor, what] : shard.left_out) {
      if (belongs(tensor)) all.left_out.emplace(tensor, std::move(what));
    }
    all.metadata.merge(shard.metadata);
  }
  for (const auto& [tensor, name] : file_of) {
    if (!all.tensors.contains(tensor) && !all.left_out.contains(tensor)) {
      problems += fmt::format("\n  not in its file: {} of {}", printable(tensor), name);
    }
  }
  if (!problems.empty()) fail<FileError>("{}: index and shards differ:{}", printable(index.native()), problems);
  return all;
}

}  // namespace temper::detail
