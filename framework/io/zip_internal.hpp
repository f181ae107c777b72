#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "framework/io/numpy_internal.hpp"

namespace temper::detail {

class AtomicFile;

// Numbers of the format, which is little-endian.
inline constexpr std::uint32_t zip_local_signature = 0x04034b50, zip_central_signature = 0x02014b50;
inline constexpr std::uint32_t zip_end_signature = 0x06054b50, zip_end64_signature = 0x06064b50;
inline constexpr std::uint32_t zip_locator64_signature = 0x07064b50;
inline constexpr std::size_t zip_end64_bytes = 56;
inline constexpr std::uint16_t zip_extra64 = 1;        ///< the extra field that holds 64-bit sizes
inline constexpr std::uint32_t zip_full = 0xffffffff;  ///< says: look there

/// A file within a zip archive.
struct ZipMember {
  std::string name;
  bool deflated = false;
  std::uint32_t crc = 0;
  std::uint64_t packed = 0, unpacked = 0;  ///< bytes
  std::uint64_t begin = 0;                 ///< where its bytes begin in the archive
};

/// The members of an archive, in the order of its directory. Strict: all in one file, nothing before or after the
/// archive, no two members of one name, none that overlaps another, only stored and deflated ones. Throws, as all here:
/// FileError. Source: PKWARE, "APPNOTE.TXT - .ZIP File Format Specification" (6.3.9), sections 4.3 to 4.5.
std::vector<ZipMember> read_zip(ByteSource& source);

/// The bytes of a member, unpacked as they are asked for; finish() checks length and checksum.
std::unique_ptr<ByteStream> open_member(ByteSource& source, const ZipMember& member);

/// Throws: ValueError for a name that cannot be one: empty, with control characters, too long, or not UTF-8.
void check_member_name(std::string_view name);

/// Writes an archive, the same bytes for the same members: they carry no time.
class ZipWriter {
 public:
  explicit ZipWriter(AtomicFile& file) : file_(file) {}

  /// Adds a member made of `parts`. Compressed ones are first packed in memory.
  void add(const std::string& name, std::span<const std::span<const std::byte>> parts, bool compress);
  /// Writes the directory.
  void finish();

 private:
  void write(std::span<const std::byte> bytes);

  AtomicFile& file_;
  std::uint64_t place_ = 0;
  std::string directory_;
  std::uint64_t members_ = 0;
};

}  // namespace temper::detail
