#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace temper::detail {

/// Whether the bytes begin as a gzip file does.
bool is_gzip(std::span<const std::byte> file);

/// Decompresses one gzip file, as much as is asked for at a time, so that a file that unpacks to far more than it
/// should costs no memory. Strict where the gzip program is lenient: one member, nothing after it.
/// Throws: FileError. Source: RFC 1952.
class Gunzip {
 public:
  explicit Gunzip(std::span<const std::byte> file);
  ~Gunzip();

  /// Fills `out` from the front and returns how many bytes there were; fewer only at the end of the data.
  std::size_t read(std::span<std::byte> out);
  /// Checks that the data ends here, its checksum, its length, and that the file ends with it.
  void finish();

 private:
  void parse_header();

  struct Stream;
  std::unique_ptr<Stream> stream_;
  std::span<const std::byte> rest_;  // not given to zlib yet
  std::uint32_t crc_ = 0;
  std::uint64_t produced_ = 0;
  bool ended_ = false;
};

}  // namespace temper::detail
