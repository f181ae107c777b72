#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <temper/core/errors.hpp>

/// The input of a fuzz target.
struct Input {
  std::span<const std::byte> bytes;

  std::string_view text() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
};

/// Each target defines this: runs a reader on one input. It may throw a temper::Error. Any other exception ends the
/// process, as a report of the sanitizers does, and libFuzzer saves the input.
void read(const Input& input);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    read({{reinterpret_cast<const std::byte*>(data), size}});
  } catch (const temper::Error&) {
  }
  return 0;
}
