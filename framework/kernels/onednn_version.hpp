#pragma once

#include <string>

namespace temper::kernels {

/// "2.6.3 (AVX-512 with bfloat16)": version of the library that runs, and the instruction set it uses.
std::string onednn_version();

}  // namespace temper::kernels
