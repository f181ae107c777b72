#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <temper/core/errors.hpp>

/// What a fuzz target is given.
struct Input {
  std::span<const std::byte> bytes;

  std::string_view text() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
};

/// One reader on one input; each target defines it. It reads or throws a temper::Error. Any other exception ends the
/// process, as the sanitizers do, and libFuzzer keeps the input.
void read(const Input& input);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    read({{reinterpret_cast<const std::byte*>(data), size}});
  } catch (const temper::Error&) {
  }
  return 0;
}
