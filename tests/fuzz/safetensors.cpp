#include "framework/data/file_internal.hpp"
#include "framework/io/safetensors_internal.hpp"
#include "tests/fuzz/fuzz.hpp"

void read(const Input& input) {
  temper::detail::MemorySource source(input.bytes);
  temper::detail::read_safetensors(source, {.max_bytes = 1 << 20});
}
