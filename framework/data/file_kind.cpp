#include "framework/data/file_kind_internal.hpp"

#include <array>
#include <utility>

namespace temper::detail {

std::string_view file_kind(std::span<const std::byte> start) {
  using namespace std::string_view_literals;
  static constexpr std::array kinds = {
      std::pair{"version "sv, "a git-lfs pointer, not the file itself (fetch it with `git lfs pull`)"sv},
      std::pair{"<!DOCTYP"sv, "an HTML page, as a failed download leaves"sv},
      std::pair{"<!doctyp"sv, "an HTML page, as a failed download leaves"sv},
      std::pair{"<html"sv, "an HTML page, as a failed download leaves"sv},
      std::pair{"PK\x03\x04"sv, "a zip archive, as torch.save and numpy.savez write"sv},
      std::pair{"\x80\x02"sv, "a Python pickle, as old versions of torch.save write"sv},
      std::pair{"\x80\x03"sv, "a Python pickle"sv},
      std::pair{"\x80\x04"sv, "a Python pickle"sv},
      std::pair{"\x80\x05"sv, "a Python pickle"sv},
      std::pair{"\x93NUMPY"sv, "a NumPy array (.npy)"sv},
      std::pair{"GGUF"sv, "a GGUF model"sv},
      std::pair{"\x89HDF"sv, "an HDF5 file"sv},
      std::pair{"\x1f\x8b"sv, "compressed by gzip"sv},
      std::pair{"BZh"sv, "compressed by bzip2"sv},
      std::pair{"\xfd"
                "7zXZ"sv,
                "compressed by xz"sv},
      std::pair{"\x28\xb5\x2f\xfd"sv, "compressed by zstd"sv},
      std::pair{"{"sv, "JSON text"sv},
      std::pair{"%PDF"sv, "a PDF document"sv},
      std::pair{"GIF8"sv, "a GIF image"sv},
      std::pair{"RIFF"sv, "a WebP image, or sound"sv},
      std::pair{"BM"sv, "a BMP image"sv},
      std::pair{"II*\0"sv, "a TIFF image"sv},
      std::pair{"MM\0*"sv, "a TIFF image"sv},
      std::pair{"\x89PNG"sv, "a PNG image"sv},
      std::pair{"\xff\xd8\xff"sv, "a JPEG image"sv},
  };
  const std::string_view text(reinterpret_cast<const char*>(start.data()), start.size());
  for (const auto& [magic, kind] : kinds) {
    if (text.starts_with(magic)) return kind;
  }
  return {};
}

}  // namespace temper::detail
