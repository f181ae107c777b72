#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <temper/io/save.hpp>

namespace temper::models {

/// Maps tensors of another program's file to one tensor of the model.
struct ImportRule {
  std::string ours{};                 ///< name of the model's tensor
  std::vector<std::string> theirs{};  ///< names in the file; several tensors, of equal shapes, are stacked along axis 0
  bool transposed = false;            ///< the file's tensors are [in, out]
};

/// How another program names and lays out a model's tensors in its files.
struct ImportMap {
  std::vector<ImportRule> rules{};  ///< one for each of the model's tensors
  std::string prefix{};             ///< prefix that the names in a file may have or not
  bool prefixed = true;             ///< whether the names of the other program's modules have it
  /// Older names and what they are now: {"*.LayerNorm.gamma", "*.LayerNorm.weight"}.
  std::vector<std::pair<std::string, std::string>> older{};
  /// Whether a name that no rule has may be in a file and is ignored.
  bool (*ignored)(std::string_view name) = nullptr;
  /// A tensor `name` that a file may hold besides or instead of the equal tensor `of`, as with tied weights.
  struct Copy {
    std::string name{}, of{};
  };
  std::vector<Copy> copies{};
};

/// Overwrites `state`, which shares memory with a model, with another program's tensors, all or nothing; floats are
/// converted to the model's dtype. The patterns of `options` match the file's names, without the prefix: {.skip =
/// {"fc.*"}, .allow_missing = {"fc.*"}} keeps the model's head. `what` begins the error's text.
/// Throws: FileError that lists every tensor that is missing, unexpected, of another shape or kind, or a copy that
/// differs from its original; ValueError for a map that does not fit the state.
void import_tensors(const Tensors& state, const Tensors& theirs, const ImportMap& map, std::string_view what,
                    const MatchOptions& options = {});
/// The same from a file in safetensors format; reads only the tensors it needs.
void import_file(const Tensors& state, const std::filesystem::path& path, const ImportMap& map,
                 const MatchOptions& options = {});

/// The tensors of `state` as the other program names and lays them out, without the prefix and without copies.
/// Throws: ValueError for a map that does not fit the state.
Tensors export_tensors(const Tensors& state, const ImportMap& map);

/// Loads another program's file in safetensors format into a model. Throws: as load_tensors and import_tensors.
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
