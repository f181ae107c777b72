#include <temper/data/idx.hpp>

#include "tests/fuzz/fuzz.hpp"

void read(const Input& input) { temper::data::parse_idx(input.bytes, "fuzz", {.max_bytes = 1 << 16}).tensor(); }
