// The bytes of record files, and of tensors in them.

#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include <temper/data/records.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_kind_internal.hpp"
#include "framework/data/records_internal.hpp"
#include "framework/tensor/bytes_internal.hpp"

namespace temper::detail {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

namespace {

template <class T>
T number_at(std::span<const std::byte> bytes, std::size_t place) {
  T value;
  std::memcpy(&value, bytes.data() + place, sizeof value);
  return value;
}

bool is_magic(std::span<const std::byte> bytes) {
  return std::memcmp(bytes.data(), record_magic.data(), record_magic.size()) == 0;
}

}  // namespace

RecordFileInfo read_record_info(ByteSource& source) {
  RecordFileInfo info{.bytes = source.size()};
  std::array<std::byte, record_magic.size()> start{};
  source.read(0, std::span(start).first(std::min<std::uint64_t>(start.size(), info.bytes)));
  if (!is_magic(start)) {
    const std::string_view kind = file_kind(start);
    if (!kind.empty()) fail<FileError>("records: this is {}", kind);
    fail<FileError>("records: begins with '{}', expected {}",
                    printable({reinterpret_cast<const char*>(start.data()), start.size()}), record_magic);
  }
  constexpr std::uint64_t least = record_magic.size() + record_footer_bytes;
  std::array<std::byte, record_footer_bytes> end;
  if (info.bytes < least) fail<FileError>("records: {} bytes, expected at least {}; it is cut off", info.bytes, least);
  source.read(info.bytes - end.size(), end);
  if (!is_magic(std::span(end).subspan(16)))
    fail<FileError>("records: does not end with {}; it is cut off", record_magic);
  info.records = number_at<std::uint64_t>(end, 0);
  info.list = number_at<std::uint64_t>(end, 8);
  const std::uint64_t room = info.bytes - record_footer_bytes;
  if (info.list < record_magic.size() || info.list > room || (room - info.list) % record_entry_bytes != 0 ||
      (room - info.list) / record_entry_bytes != info.records) {
    fail<FileError>("records: the list of {} records at {} does not fit a file of {} bytes", info.records, info.list,
                    info.bytes);
  }
  return info;
}

RecordBlock read_record_block(ByteSource& source, const RecordFileInfo& info, std::uint64_t first,
                              std::uint64_t count) {
  // The end of the record before is where the first one begins.
  const std::uint64_t before = first == 0 ? 0 : 1;
  std::vector<std::byte> list((before + count) * record_entry_bytes);
  source.read(info.list + (first - before) * record_entry_bytes, list);
  const auto end_of = [&](std::uint64_t i) {
    return number_at<std::uint64_t>(list, (before + i) * record_entry_bytes);
  };
  const std::uint64_t begin = before == 0 ? record_magic.size() : number_at<std::uint64_t>(list, 0);
  RecordBlock block;
  std::uint64_t at = begin;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t end = end_of(i);
    if (at < record_magic.size() || end < at || end > info.list) {
      fail<FileError>("records: record {} would be the bytes from {} to {} of {}", first + i, at, end, info.list);
    }
    block.ends.push_back(end - begin);
    at = end;
  }
  block.bytes.resize(at - begin);
  source.read(begin, block.bytes);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::span<const std::byte> record = block.record(i);
    const auto crc =
        static_cast<std::uint32_t>(::crc32_z(0, reinterpret_cast<const Bytef*>(record.data()), record.size()));
    const auto said = number_at<std::uint32_t>(list, (before + i) * record_entry_bytes + 8);
    if (crc != said) {
      fail<FileError>("records: record {} has CRC-32 {:08x}, the file says {:08x}", first + i, crc, said);
    }
  }
  return block;
}

}  // namespace temper::detail

namespace temper::data::detail {

using temper::detail::bytes_of;
using temper::detail::mutable_bytes_of;

std::vector<std::byte> encoded(std::span<const Tensor> fields) {
  // How many tensors; for each: dtype, rank, sizes, elements.
  std::size_t size = 1;
  for (const Tensor& field : fields) {
    size += 2 + static_cast<std::size_t>(field.rank()) * sizeof(std::int64_t) + bytes_of(field).size();
  }
  std::vector<std::byte> out(size);
  std::byte* at = out.data();
  const auto put = [&](const void* bytes, std::size_t count) {
    if (count != 0) std::memcpy(at, bytes, count);
    at += count;
  };
  const auto put_byte = [&](std::size_t value) { *at++ = static_cast<std::byte>(value); };
  put_byte(fields.size());
  for (const Tensor& field : fields) {
    put_byte(static_cast<std::size_t>(field.dtype()));
    put_byte(static_cast<std::size_t>(field.rank()));
    for (const std::int64_t axis : field.shape()) put(&axis, sizeof axis);
    put(bytes_of(field).data(), bytes_of(field).size());
  }
  return out;
}

void decode(std::span<const std::byte> bytes, std::span<Tensor> fields) {
  const auto take = [&](std::size_t count) {
    if (bytes.size() < count) fail<FileError>("ends within a tensor");
    const auto taken = bytes.first(count);
    bytes = bytes.subspan(count);
    return taken;
  };
  const auto byte = [&] { return std::to_integer<std::size_t>(take(1)[0]); };
  if (const std::size_t count = byte(); count != fields.size()) {
    fail<FileError>("has {} tensors, expected {}", count, fields.size());
  }
  for (Tensor& field : fields) {
    const std::size_t dtype = byte(), rank = byte();
    if (dtype > static_cast<std::size_t>(Dtype::boolean)) fail<FileError>("has a tensor of unknown dtype {}", dtype);
    if (rank > static_cast<std::size_t>(Shape::max_rank)) fail<FileError>("has a tensor of {} axes", rank);
    std::array<std::int64_t, Shape::max_rank> sizes{};
    for (std::size_t axis = 0; axis < rank; ++axis)
      std::memcpy(&sizes[axis], take(sizeof(std::int64_t)).data(), sizeof(std::int64_t));
    Shape shape;
    try {
      shape = Shape(std::span<const std::int64_t>(sizes).first(rank));
    } catch (const ShapeError& error) {
      fail<FileError>("has a tensor that cannot be: {}", error.what());
    }
    const std::size_t element = size_of(static_cast<Dtype>(dtype));
    // Before anything of that size is made.
    if (static_cast<std::uint64_t>(shape.numel()) > bytes.size() / element)
      fail<FileError>("ends within a tensor {}", shape);
    field = empty(shape, static_cast<Dtype>(dtype));
    const auto elements = take(static_cast<std::size_t>(shape.numel()) * element);
    if (field.dtype() == Dtype::boolean &&
        std::ranges::any_of(elements, [](std::byte b) { return b > std::byte{1}; })) {
      field = Tensor();
      fail<FileError>("has a bool that is neither 0 nor 1");
    }
    std::ranges::copy(elements, mutable_bytes_of(field).begin());
  }
  if (!bytes.empty()) fail<FileError>("has {} bytes after its tensors", bytes.size());
}

}  // namespace temper::data::detail
