#pragma once

#include <string>

namespace temper::kernels {

/// "2.6.3 (AVX-512 with bfloat16)": version of the library that runs, and the instruction set it uses.
std::string onednn_version();

/// Whether oneDNN multiplies bf16 with the CPU's own instructions. Without them it is slow, or not done at all.
bool has_bf16();

}  // namespace temper::kernels
