#include <temper/data/squad.hpp>

#include "tests/fuzz/fuzz.hpp"

void read(const Input& input) { temper::data::parse_squad(input.text(), "fuzz"); }
