#include <temper/data/csv.hpp>

#include "tests/fuzz/fuzz.hpp"

void read(const Input& input) { temper::data::parse_csv(input.text(), "fuzz"); }
