#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <temper/io/numpy.hpp>

namespace temper::detail {

class ByteSource;

/// Bytes that come one after the other.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  /// Fills all of `out`. Throws: FileError when there is less.
  virtual void read(std::span<std::byte> out) = 0;
  /// The most that can still come.
  virtual std::uint64_t most() const = 0;
  /// Throws: FileError when more would come, or what came does not match its checksum.
  virtual void finish() = 0;
};

/// One array, whose tensor has at most so many bytes.
Tensor read_npy(ByteStream& stream, std::uint64_t max_bytes);
Tensor read_npy(ByteSource& source, const NumpyOptions& options);
Tensors read_npz(ByteSource& source, const NumpyOptions& options);

}  // namespace temper::detail
