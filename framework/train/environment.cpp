#include <temper/train/environment.hpp>

#include <zlib.h>

#include <array>
#include <fstream>

#include <temper/core/parallel.hpp>
#include <temper/train/info.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/kernels/isa.hpp"
#include "framework/kernels/onednn_version.hpp"

namespace temper {

namespace {

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (const auto colon = line.find(": "); line.starts_with("model name") && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "unknown";
}

/// Libraries that are linked dynamically are not in it; oneDNN, which matters, has an entry of its own.
std::string program_checksum() {
  std::ifstream file("/proc/self/exe", std::ios::binary);
  std::array<char, 1 << 16> block;
  uLong crc = ::crc32(0, nullptr, 0);
  while (file.read(block.data(), block.size()), file.gcount() > 0) {
    crc = ::crc32(crc, reinterpret_cast<const Bytef*>(block.data()), static_cast<uInt>(file.gcount()));
  }
  return fmt::format("{:08x}", crc);
}

}  // namespace

Metadata environment() {
  return {{"program", program_checksum()},
          {"version", version()},
          {"cpu", cpu_name()},
          {"isa", kernels::to_string(kernels::isa())},
          {"oneDNN", kernels::onednn_version()},
          {"threads", std::to_string(threads())}};
}

std::vector<std::string> environment_changes(const Metadata& was, const Metadata& is) {
  std::vector<std::string> changes;
  for (const auto& [key, value] : is) {
    const auto found = was.find(key);
    const std::string before = found == was.end() ? "unknown" : found->second;
    if (before != value) changes.push_back(fmt::format("{}: was {}, is {}", key, before, value));
  }
  return changes;
}

}  // namespace temper
