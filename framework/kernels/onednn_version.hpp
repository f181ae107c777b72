#pragma once

#include <string>

namespace temper::kernels {

/// "2.6.3 (AVX-512 with bfloat16)": version of the loaded oneDNN, and the instruction set it uses.
std::string onednn_version();

/// Whether the CPU has instructions for bf16 that oneDNN uses; on arm64, whether it has them. Without them oneDNN
/// emulates bf16 slowly, or refuses it.
bool has_bf16();

}  // namespace temper::kernels
