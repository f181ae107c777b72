#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <temper/io/save.hpp>

namespace temper::models {

/// Which of another program's tensors make one of ours.
struct ImportRule {
  std::string ours{};
  std::vector<std::string> theirs{};  ///< of equal shapes; of several, the rows one after the other
  bool transposed = false;            ///< theirs are [in, out]
};

/// How another program names and lays out a model's tensors.
struct ImportMap {
  std::vector<ImportRule> rules{};  ///< one for each of the model's tensors
  std::string prefix{};             ///< what their names may begin with, or not
  /// What their tensors were called in older files: {"*.LayerNorm.gamma", "*.LayerNorm.weight"}.
  std::vector<std::pair<std::string, std::string>> older{};
  /// What a file may hold that the model does not need.
  bool (*ignored)(std::string_view name) = nullptr;
  /// A tensor that a file may hold a second time, or alone, as another program does with tied weights.
  struct Copy {
    std::string name{}, of{};
  };
  std::vector<Copy> copies{};
};

/// Overwrites `state`, which shares memory with a model, with another program's tensors, all or nothing; floats become
/// the model's dtype. The patterns of `options` are of their names, without the prefix: {.skip = {"fc.*"},
/// .allow_missing = {"fc.*"}} leaves a head as it is. `what` begins the error's text.
/// Throws: FileError that lists every tensor that is missing, not expected, of another shape or kind, or no copy of
/// what it should be; ValueError for a map that does not fit the state.
void import_tensors(const Tensors& state, const Tensors& theirs, const ImportMap& map, std::string_view what,
                    const MatchOptions& options = {});
/// The same from a file in safetensors format, of which only what is needed is read.
void import_file(const Tensors& state, const std::filesystem::path& path, const ImportMap& map,
                 const MatchOptions& options = {});

/// The tensors of `state` as the other program names and lays them out, without the prefix and without copies.
/// Throws: ValueError for a map that does not fit the state.
Tensors export_tensors(const Tensors& state, const ImportMap& map);

/// Reads another program's file in safetensors format into a model. Throws: as load_tensors and import_tensors.
template <Savable M>
void import_model(const std::filesystem::path& path, M& model, const ImportMap& map, const MatchOptions& options = {}) {
  static_assert(!std::is_const_v<M>, "import: the model is const");
  import_file(state_dict(model), path, map, options);
}

/// Writes a model as the other program would. Throws: as save_tensors and export_tensors.
template <Savable M>
void export_model(const std::filesystem::path& path, const M& model, const ImportMap& map) {
  save_tensors(path, export_tensors(state_dict(model), map), {{"format", "pt"}});
}

}  // namespace temper::models
