#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <tuple>
#include <vector>

#include <temper/data/records.hpp>

namespace temper {

/// Writes a record file (data::RecordFiles) record by record, so that they need not fit into memory. The file appears
/// in commit(), whole or not at all. Throws, as all here: FileError that begins with the path.
class RecordWriter {
 public:
  /// Makes the folder, if need be.
  explicit RecordWriter(const std::filesystem::path& path);
  ~RecordWriter();
  RecordWriter(RecordWriter&&) noexcept;
  RecordWriter& operator=(RecordWriter&&) noexcept;

  /// Appends a record. Throws: ValueError after commit().
  void write(std::span<const std::byte> record);
  /// Appends an example, for data::TensorRecords.
  void write_tensors(std::span<const Tensor> fields) { write(data::detail::encoded(fields)); }
  /// Records so far.
  std::int64_t size() const;
  /// Completes the file. Throws: ValueError the second time.
  void commit();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct SaveRecordsOptions {
  std::int64_t per_file = 16384;  ///< examples in a file
};

namespace detail {
/// The files "00000-of-00004.records" of a folder. Throws: ValueError for options out of range; FileError when the
/// folder holds others.
std::vector<std::filesystem::path> record_paths(const std::filesystem::path& folder, std::int64_t size,
                                                const SaveRecordsOptions& options);
}  // namespace detail

/// Writes all examples of a data set to record files in a folder, in order, for data::TensorRecords; random ones as
/// they are in `epoch`. Each file appears whole or not at all, and an incomplete set cannot be read. Throws: ValueError
/// for options out of range; FileError when the folder holds other records, or cannot be written.
template <data::Dataset D>
void save_records(const std::filesystem::path& folder, const D& dataset, const SaveRecordsOptions& options = {},
                  const data::Epoch& epoch = {}) {
  const auto size = static_cast<std::int64_t>(dataset.size());
  const auto paths = detail::record_paths(folder, size, options);
  std::int64_t i = 0;
  for (const std::filesystem::path& path : paths) {
    RecordWriter writer(path);
    for (const std::int64_t end = i + options.per_file; i < end && i < size; ++i) {
      const auto fields = data::example(dataset, i, epoch);
      writer.write_tensors(std::apply([](const auto&... field) { return std::array{field...}; }, fields));
    }
    writer.commit();
  }
}

}  // namespace temper
