#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "framework/data/file_internal.hpp"

namespace temper::detail {

// The format of record files; <temper/data/records.hpp> describes it.
inline constexpr std::string_view record_magic = "TMPRREC1";
inline constexpr std::string_view record_ending = ".records";
inline constexpr std::size_t record_entry_bytes = 12, record_footer_bytes = 24;

/// A file of records: what its end says.
struct RecordFileInfo {
  std::uint64_t bytes = 0;  ///< of the file
  std::uint64_t records = 0;
  std::uint64_t list = 0;  ///< where the list of the records' ends begins
};

/// Throws: FileError for a file that is none.
RecordFileInfo read_record_info(ByteSource& source);

/// Some consecutive records of a file.
struct RecordBlock {
  std::vector<std::byte> bytes;
  std::vector<std::size_t> ends;  ///< of each record, within `bytes`

  std::span<const std::byte> record(std::size_t i) const {
    const std::size_t begin = i == 0 ? 0 : ends[i - 1];
    return std::span(bytes).subspan(begin, ends[i] - begin);
  }
};

/// Reads `count` records from number `first` on. Throws: FileError when one is damaged.
RecordBlock read_record_block(ByteSource& source, const RecordFileInfo& info, std::uint64_t first, std::uint64_t count);

}  // namespace temper::detail
