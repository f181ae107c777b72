#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

namespace temper::detail {

/// A data set that a package installs.
struct KnownFiles {
  std::string_view name;                 ///< of the folder: "fashion-mnist"
  std::vector<std::string_view> files;   ///< all must be there, each plain or with .gz
  std::string_view install;              ///< the command that installs it
  std::filesystem::path installed = {};  ///< where, if not in a folder `name` of /usr/share/datasets
};

/// Finds the files of a data set: in `path` when one is given, else below $TEMPER_DATA, in /usr/share/datasets and in
/// ./data. Returns them in the order of `wanted.files`.
/// Throws: FileError that lists every path tried and the command that installs the data set; for a $TEMPER_DATA that is
/// no folder.
std::vector<std::filesystem::path> locate(const KnownFiles& wanted, const std::filesystem::path& path);

}  // namespace temper::detail
