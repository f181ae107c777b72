#pragma once

#include <string>
#include <vector>

#include <temper/io/safetensors.hpp>

namespace temper {

/// What the bits of a run's results depend on besides its options: "program" (a checksum of the executable), "version",
/// "cpu", "isa", "oneDNN", "threads".
Metadata environment();

/// The differences of two environments, a line each: "threads: was 2, is 1".
std::vector<std::string> environment_changes(const Metadata& was, const Metadata& is);

}  // namespace temper
