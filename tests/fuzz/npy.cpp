#include "framework/data/file_internal.hpp"
#include "framework/io/numpy_internal.hpp"
#include "tests/fuzz/fuzz.hpp"

void read(const Input& input) {
  temper::detail::MemorySource source(input.bytes);
  temper::detail::read_npy(source, {.max_bytes = 1 << 16});
}
