#include <temper/data/image_file.hpp>

#include "tests/fuzz/fuzz.hpp"

void read(const Input& input) { temper::data::parse_image(input.bytes, "fuzz", {.max_pixels = 1 << 14}); }
