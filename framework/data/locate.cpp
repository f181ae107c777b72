#include <cstdlib>
#include <string>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/locate_internal.hpp"

namespace temper::detail {

namespace fs = std::filesystem;

namespace {

std::vector<fs::path> folders(const KnownFiles& wanted, const fs::path& path) {
  const std::string_view name = wanted.name;
  // A path that was asked for and is wrong must not end in other data that happens to be installed.
  if (!path.empty()) return {path, path / name};
  std::vector<fs::path> places;
  if (const char* root = std::getenv("TEMPER_DATA"); root != nullptr && *root != '\0') {
    // It need not hold every data set, but it must be there: nor must this be wrong unnoticed.
    std::error_code ignored;
    if (!fs::is_directory(root, ignored)) fail<FileError>("$TEMPER_DATA is '{}', which is no folder", printable(root));
    places.push_back(fs::path(root) / name);
    places.emplace_back(root);
  }
  if (!wanted.installed.empty()) places.push_back(wanted.installed);
  places.push_back(fs::path("/usr/share/datasets") / name);
  places.push_back(fs::path("/usr/local/share/datasets") / name);
  places.push_back(fs::path("data") / name);
  return places;
}

}  // namespace

std::vector<fs::path> locate(const KnownFiles& wanted, const fs::path& path) {
  std::string tried;
  for (const fs::path& folder : folders(wanted, path)) {
    std::vector<fs::path> found;
    for (const std::string_view file : wanted.files) {
      for (const std::string_view ending : {".gz", ""}) {
        const fs::path candidate = folder / (std::string(file) + std::string(ending));
        std::error_code ignored;
        if (fs::exists(candidate, ignored)) {
          found.push_back(candidate);
          break;
        }
        tried += fmt::format("\n  {}", printable(candidate.native()));
      }
    }
    if (found.size() == wanted.files.size()) return found;
  }
  fail<FileError>("{}: not found. Install it with\n  {}\nor say where it is. Tried:{}", wanted.name, wanted.install,
                  tried);
}

}  // namespace temper::detail
