#pragma once

#include <string>

namespace temper::kernels {

/// "2.6.3 (AVX-512 with bfloat16)": version of the loaded oneDNN, and the instruction set it uses.
std::string onednn_version();

/// Whether oneDNN multiplies bf16 with instructions of the CPU. Without them it emulates bf16 slowly, or refuses it.
bool has_bf16();

}  // namespace temper::kernels
