#include "framework/io/safetensors_internal.hpp"
#include "tests/fuzz/fuzz.hpp"

void read(const Input& input) { temper::detail::parse_shard_index(input.text()); }
