#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <temper/data/dataset.hpp>

namespace temper::data {

struct RecordOptions {
  /// Shuffles every epoch, by its seed and number alone: the blocks of all files, and the records within each buffer.
  /// Leave the Loader's own shuffling off then.
  bool shuffle = false;
  std::int64_t buffer = 4096;  ///< records in the shuffle buffer; up to three buffers are in memory at a time
  std::int64_t block = 64;     ///< consecutive records that are read with one call
};

/// One record. Its bytes are valid as long as this lives.
struct Record {
  std::span<const std::byte> bytes;    ///< valid as long as `buffer`
  std::shared_ptr<const void> buffer;  ///< keeps the bytes alive
  std::string file;
  std::int64_t number = 0;  ///< in its file
};

/// Record files (shards) that may be larger than memory. Records are read a buffer at a time and shuffled within it.
/// Which record comes when is a function of the epoch, so a resumed run continues at any position without replaying
/// anything. Several threads may read at once; copies share their buffers. RecordWriter and save_records write such
/// files.
///
/// File format, all numbers little-endian: the magic "TMPRREC1" (8 bytes); the records' bytes; an index with the end
/// offset (u64) and the CRC-32 (u32) of each record; the number of records (u64); the offset of the index (u64); the
/// magic again. Source: Xu et al., "In-database machine learning with CorgiPile: stochastic gradient descent without
/// full data shuffle" (2022).
class RecordFiles {
 public:
  /// One file, or all files `*.records` of a folder, by name. Throws: FileError that begins with the path, for a
  /// damaged file, a folder without any, or an incomplete set ("00000-of-00004" and so on); ValueError for a buffer or
  /// block below 1.
  explicit RecordFiles(const std::filesystem::path& path, const RecordOptions& options = {});

  /// Records in all files.
  std::int64_t size() const;
  /// Record i of an epoch. Throws: ValueError for an index out of range; FileError that names file and record when it
  /// is damaged or its file has changed.
  Record read(std::int64_t i, const Epoch& epoch) const;

 private:
  struct Storage;
  std::shared_ptr<const Storage> storage_;
};

namespace detail {

/// Tensors as the bytes of a record, and back. Throws: FileError for bytes that are not exactly fields.size() tensors.
std::vector<std::byte> encoded(std::span<const Tensor> fields);
void decode(std::span<const std::byte> bytes, std::span<Tensor> fields);

/// Throws what a decoder threw, with the record's place before the text of a FileError.
[[noreturn]] void rethrow_at(const Record& record);

}  // namespace detail

/// A data set of records that a function decodes, for example JPEG files into tensors:
///
///     data::Records pictures(data::RecordFiles("train", {.shuffle = true}),
///                            [](std::span<const std::byte> bytes) { return std::array{decoded(bytes)}; });
template <class Decode>
class Records {
 public:
  /// Several threads may call `decode` at once.
  Records(RecordFiles files, Decode decode) : files_(std::move(files)), decode_(std::move(decode)) {}

  std::int64_t size() const { return files_.size(); }
  /// Throws: as RecordFiles::read and the function; the text of its FileErrors begins with the record's place.
  auto get(std::int64_t i, const Epoch& epoch) const {
    const Record record = files_.read(i, epoch);
    try {
      return decode_(record.bytes);
    } catch (...) {
      detail::rethrow_at(record);
    }
  }

 private:
  RecordFiles files_;
  Decode decode_;
};

/// A data set of N tensors an example, of any shapes, in record files that save_records wrote:
///
///     data::Loader loader(data::TensorRecords<2>("train", {.shuffle = true}), {.batch_size = 32, .workers = 2});
template <std::size_t N>
class TensorRecords {
 public:
  /// Throws: as RecordFiles.
  explicit TensorRecords(const std::filesystem::path& path, const RecordOptions& options = {})
      : files_(path, options) {}

  std::int64_t size() const { return files_.size(); }
  /// Throws: as RecordFiles::read; FileError for a record that is not exactly N tensors.
  std::array<Tensor, N> get(std::int64_t i, const Epoch& epoch) const {
    const Record record = files_.read(i, epoch);
    std::array<Tensor, N> fields;
    try {
      detail::decode(record.bytes, fields);
    } catch (...) {
      detail::rethrow_at(record);
    }
    return fields;
  }

 private:
  RecordFiles files_;
};

}  // namespace temper::data
