#include <cerrno>
#include <cstdio>
#include <cstring>

#include <temper/io/checkpoint.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/io/atomic_file_internal.hpp"

namespace temper {

namespace fs = std::filesystem;

namespace {

// A new checkpoint is written whole under the name `next` before the older ones are renamed. A program that is killed
// in between leaves `next` behind, which then is the newest.
constexpr const char* next_name = "next.safetensors";
constexpr const char* last_name = "last.safetensors";
constexpr const char* previous_name = "previous.safetensors";

void move_file(const fs::path& from, const fs::path& to) {
  if (std::rename(from.c_str(), to.c_str()) == 0) return;
  const int error = errno;
  fail<FileError>("{}: cannot be renamed to {}: {}", detail::printable(from.native()),
                  detail::printable(to.filename().native()), std::strerror(error));
}

}  // namespace

bool CheckpointFolder::empty() const {
  for (const char* name : {next_name, last_name, previous_name}) {
    if (detail::path_exists(folder_ / name)) return false;
  }
  return true;
}

void CheckpointFolder::finish_rotation() const {
  if (!detail::path_exists(folder_ / next_name)) return;
  if (detail::path_exists(folder_ / last_name)) move_file(folder_ / last_name, folder_ / previous_name);
  move_file(folder_ / next_name, folder_ / last_name);
  detail::sync_folder(folder_);
}

void CheckpointFolder::save(const Checkpoint& checkpoint) const {
  detail::make_folders(folder_);
  finish_rotation();
  save_checkpoint(folder_ / next_name, checkpoint);
  finish_rotation();
}

CheckpointFolder::Loaded CheckpointFolder::load() const {
  Loaded loaded;
  std::string problems;
  std::vector<fs::path> bad;
  for (const char* name : {next_name, last_name, previous_name}) {
    loaded.file = folder_ / name;
    if (!detail::path_exists(loaded.file)) continue;
    try {
      loaded.checkpoint = load_checkpoint(loaded.file);
    } catch (const detail::ReadError&) {
      throw;  // the file may be whole, and readable at the next attempt
    } catch (const FileError& error) {
      loaded.damaged.emplace_back(error.what());
      problems += fmt::format("\n  {}", error.what());
      bad.push_back(loaded.file);
      continue;
    }
    // Renamed, so that the next save does not replace a good checkpoint by a damaged one.
    for (const fs::path& file : bad) move_file(file, fs::path(file) += ".damaged");
    if (loaded.file.filename() == next_name) {  // a save was killed before its renames
      finish_rotation();
      loaded.file = folder_ / last_name;
    }
    return loaded;
  }
  if (problems.empty()) fail<FileError>("{}: there is no checkpoint", detail::printable(folder_.native()));
  fail<FileError>("{}: no checkpoint is whole:{}", detail::printable(folder_.native()), problems);
}

}  // namespace temper
