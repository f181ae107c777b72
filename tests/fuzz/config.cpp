#include "framework/train/config_internal.hpp"
#include "tests/fuzz/fuzz.hpp"

void read(const Input& input) { temper::detail::read_config(input.text()); }
