#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/fuzz/fuzz.hpp"

/// A folder of this process that holds the input as a file, for readers of folders.
inline std::filesystem::path folder_with(const Input& input, const char* name) {
  static const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("temper-fuzz-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream(folder / name, std::ios::binary)
      .write(input.text().data(), static_cast<std::streamsize>(input.text().size()));
  return folder;
}
