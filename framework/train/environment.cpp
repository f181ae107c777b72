#include <temper/train/environment.hpp>

#include <link.h>
#include <zlib.h>

#include <array>
#include <fstream>
#include <string_view>

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

uLong add_file(uLong crc, const char* path) {
  std::ifstream file(path, std::ios::binary);
  std::array<char, 1 << 16> block;
  while (file.read(block.data(), block.size()), file.gcount() > 0) {
    crc = ::crc32(crc, reinterpret_cast<const Bytef*>(block.data()), static_cast<uInt>(file.gcount()));
  }
  return crc;
}

/// The checksum of the program and, if they are shared, of our libraries. Computed once, because later the files may
/// be those of the next build. Of other libraries only oneDNN affects results, and it has an entry of its own.
const std::string& program_checksum() {
  static const std::string text = [] {
    uLong crc = add_file(::crc32(0, nullptr, 0), "/proc/self/exe");
    const auto add_library = [](dl_phdr_info* library, std::size_t, void* sum) {
      const std::string_view path = library->dlpi_name;
      const std::string_view name = path.substr(path.rfind('/') + 1);
      if (name.starts_with("libtemper")) *static_cast<uLong*>(sum) = add_file(*static_cast<uLong*>(sum), path.data());
      return 0;
    };
    ::dl_iterate_phdr(add_library, &crc);
    return fmt::format("{:08x}", crc);
  }();
  return text;
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
