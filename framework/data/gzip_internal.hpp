#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace temper::detail {

/// Whether the bytes begin as a gzip file does.
bool is_gzip(std::span<const std::byte> file);

/// The most bytes that so many compressed ones can hold: deflate packs at best 258 bytes into two bits.
std::uint64_t most_unpacked(std::uint64_t compressed);

/// Decompresses a gzip file of one or more members, as much as is asked for at a time, so that a file that unpacks to
/// far more than it should costs no memory. Stricter than the gzip program: nothing may follow the last member.
/// Throws: FileError. Source: RFC 1952.
class Gunzip {
 public:
  explicit Gunzip(std::span<const std::byte> file);
  ~Gunzip();

  /// Fills `out` from the front and returns how many bytes there were; fewer only at the end of the data, when the
  /// checksum and length of every member were right and the file ended with the last.
  std::size_t read(std::span<std::byte> out);
  /// Checks that the data ends here.
  void finish();

 private:
  /// Goes on to the next member, if there is one.
  void end_member();

  struct Stream;
  std::unique_ptr<Stream> stream_;
  std::span<const std::byte> rest_;  // not given to zlib yet
  std::uint64_t produced_ = 0;
  bool ended_ = false;
};

}  // namespace temper::detail
