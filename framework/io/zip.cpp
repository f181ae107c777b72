#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <optional>
#include <set>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/file_kind_internal.hpp"
#include "framework/data/gzip_internal.hpp"
#include "framework/data/utf8_internal.hpp"
#include "framework/io/zip_internal.hpp"

namespace temper::detail {

namespace {

constexpr std::size_t local_bytes = 30, central_bytes = 46, end_bytes = 22, locator64_bytes = 20;
constexpr std::uint64_t max_directory = 100'000'000;
constexpr std::uint16_t encrypted = 1;  // among the flags

/// Little-endian numbers one after the other.
class Fields {
 public:
  explicit Fields(std::span<const std::byte> bytes) : rest_(bytes) {}

  template <class T>
  T take() {
    if (rest_.size() < sizeof(T)) fail<FileError>("zip: ends within the directory");
    T value;
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_ = rest_.subspan(sizeof value);
    return value;
  }
  std::uint16_t u16() { return take<std::uint16_t>(); }
  std::uint32_t u32() { return take<std::uint32_t>(); }
  std::uint64_t u64() { return take<std::uint64_t>(); }
  std::span<const std::byte> bytes(std::size_t count) {
    if (rest_.size() < count) fail<FileError>("zip: ends within the directory");
    const auto taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  bool done() const { return rest_.empty(); }

 private:
  std::span<const std::byte> rest_;
};

std::vector<std::byte> read_part(ByteSource& source, std::uint64_t place, std::uint64_t count) {
  if (place > source.size() || count > source.size() - place)
    fail<FileError>("zip: a part lies past the end of the file");
  std::vector<std::byte> bytes(count);
  source.read(place, bytes);
  return bytes;
}

/// Where the directory lies.
struct Directory {
  std::uint64_t begin = 0, bytes = 0, members = 0;
};

Directory find_directory(ByteSource& source) {
  std::array<std::byte, 8> start{};
  source.read(0, std::span(start).first(std::min<std::uint64_t>(start.size(), source.size())));
  if (const std::string_view kind = file_kind(start); std::memcmp(start.data(), "PK", 2) != 0 && !kind.empty()) {
    fail<FileError>("zip: this is {}", kind);
  }
  // A comment may follow; it is the file's end that says where the directory is.
  const std::uint64_t tail_bytes = std::min<std::uint64_t>(source.size(), end_bytes + 0xffff);
  const std::vector<std::byte> tail = read_part(source, source.size() - tail_bytes, tail_bytes);
  std::optional<std::size_t> found;
  for (std::size_t at = tail.size() < end_bytes ? 0 : tail.size() - end_bytes + 1; at-- > 0 && !found;) {
    Fields end{std::span(tail).subspan(at, end_bytes)};
    if (end.u32() != zip_end_signature) continue;
    end.bytes(16);
    if (end.u16() == tail.size() - at - end_bytes) found = at;
  }
  if (!found) fail<FileError>("zip: no directory at the end; this is no zip archive, or it is cut off");

  std::uint64_t end_place = source.size() - tail_bytes + *found;
  Fields end{std::span(tail).subspan(*found, end_bytes)};
  end.u32();
  const std::uint16_t disk = end.u16(), directory_disk = end.u16();
  std::uint64_t here = end.u16();
  Directory directory;
  directory.members = end.u16();
  directory.bytes = end.u32();
  directory.begin = end.u32();
  if (end_place >= locator64_bytes) {
    const std::vector<std::byte> bytes = read_part(source, end_place - locator64_bytes, locator64_bytes);
    Fields locator{std::span(bytes)};
    if (locator.u32() == zip_locator64_signature) {
      locator.u32();
      end_place = locator.u64();
      const std::vector<std::byte> wide = read_part(source, end_place, zip_end64_bytes);
      Fields end64{std::span(wide)};
      if (end64.u32() != zip_end64_signature)
        fail<FileError>("zip: the 64-bit end of the directory is not where it should be");
      end64.bytes(20);
      here = end64.u64();
      directory.members = end64.u64();
      directory.bytes = end64.u64();
      directory.begin = end64.u64();
    }
  }
  if (disk != 0 || directory_disk != 0 || here != directory.members)
    fail<FileError>("zip: an archive in several files");
  if (directory.bytes > max_directory) {
    fail<FileError>("zip: a directory of {} bytes, the limit is {}", directory.bytes, max_directory);
  }
  if (directory.begin > end_place || directory.bytes != end_place - directory.begin) {
    fail<FileError>("zip: a directory of {} bytes at {}, but its end is at {}", directory.bytes, directory.begin,
                    end_place);
  }
  if (directory.members > directory.bytes / central_bytes) {
    fail<FileError>("zip: {} members in a directory of {} bytes", directory.members, directory.bytes);
  }
  return directory;
}

struct Located {
  ZipMember member;
  std::uint64_t header;  // where its own header begins
};

Located read_entry(Fields& fields) {
  if (fields.u32() != zip_central_signature) fail<FileError>("zip: the directory is damaged");
  fields.bytes(4);  // versions
  const std::uint16_t flags = fields.u16(), method = fields.u16();
  fields.bytes(4);  // time
  Located located;
  ZipMember& member = located.member;
  member.crc = fields.u32();
  member.packed = fields.u32();
  member.unpacked = fields.u32();
  const std::uint16_t name_bytes = fields.u16(), extra_bytes = fields.u16(), comment_bytes = fields.u16();
  fields.bytes(8);  // disk, attributes
  located.header = fields.u32();
  const auto name = fields.bytes(name_bytes);
  member.name.assign(reinterpret_cast<const char*>(name.data()), name.size());
  Fields extra(fields.bytes(extra_bytes));
  fields.bytes(comment_bytes);
  while (!extra.done()) {
    const std::uint16_t id = extra.u16(), size = extra.u16();
    Fields field(extra.bytes(size));
    if (id != zip_extra64) continue;
    for (std::uint64_t* wide : {&member.unpacked, &member.packed, &located.header}) {
      if (*wide == zip_full) *wide = field.u64();
    }
  }
  const std::string shown = printable(member.name);
  if (find_invalid_utf8(member.name) != std::string::npos) fail<FileError>("zip: the name '{}' is not UTF-8", shown);
  if (flags & encrypted) fail<FileError>("zip: '{}' is encrypted", shown);
  if (method != 0 && method != 8)
    fail<FileError>("zip: '{}' is packed by method {}, expected 0 (stored) or 8 (deflate)", shown, method);
  member.deflated = method == 8;
  if (member.deflated ? member.unpacked > most_unpacked(member.packed) : member.unpacked != member.packed) {
    fail<FileError>("zip: '{}' would be {} bytes out of {}", shown, member.unpacked, member.packed);
  }
  return located;
}

/// Looks at the header that stands right before a member's bytes; where they begin.
std::uint64_t begin_of(ByteSource& source, const Located& located, std::uint64_t end) {
  const auto& [member, place] = located;
  const std::string shown = printable(member.name);
  if (place > end || end - place < local_bytes)
    fail<FileError>("zip: '{}' would begin at {}, past all members", shown, place);
  const std::vector<std::byte> bytes = read_part(source, place, local_bytes);
  Fields header{std::span(bytes)};
  if (header.u32() != zip_local_signature)
    fail<FileError>("zip: '{}' is not at {}, where the directory says", shown, place);
  header.bytes(4);
  const std::uint16_t method = header.u16();
  header.bytes(16);
  const std::uint16_t name_bytes = header.u16(), extra_bytes = header.u16();
  const std::vector<std::byte> name = read_part(source, place + local_bytes, name_bytes);
  if (std::string_view(reinterpret_cast<const char*>(name.data()), name.size()) != member.name ||
      method != (member.deflated ? 8 : 0)) {
    fail<FileError>("zip: the directory and the header of '{}' differ", shown);
  }
  const std::uint64_t begin = place + local_bytes + name_bytes + extra_bytes;
  if (begin > end || member.packed > end - begin)
    fail<FileError>("zip: '{}' of {} bytes reaches past all members", shown, member.packed);
  return begin;
}

/// A member's bytes: as they are, or through zlib.
class MemberStream final : public ByteStream {
 public:
  MemberStream(ByteSource& source, const ZipMember& member) : source_(source), member_(member), place_(member.begin) {
    if (!member_.deflated) return;
    inflating_ = inflateInit2(&stream_, -MAX_WBITS) == Z_OK;
    if (!inflating_) fail<OutOfMemoryError>("zip: not enough memory");
  }
  ~MemberStream() override {
    if (inflating_) inflateEnd(&stream_);
  }
  MemberStream(const MemberStream&) = delete;
  MemberStream& operator=(const MemberStream&) = delete;

  void read(std::span<std::byte> out) override {
    if (out.size() > most())
      fail<FileError>("npy: ended after {} bytes, {} more are missing", member_.unpacked, out.size() - most());
    if (member_.deflated) {
      if (inflate_into(out) < out.size())
        fail<FileError>("zip: ends after {} bytes, expected {}", given_, member_.unpacked);
    } else {
      source_.read(place_, out);
      place_ += out.size();
      given_ += out.size();
    }
    crc_ = ::crc32_z(crc_, reinterpret_cast<const Bytef*>(out.data()), out.size());
  }

  std::uint64_t most() const override { return member_.unpacked - given_; }

  void finish() override {
    if (most() != 0) fail<FileError>("npy: {} bytes after the array", most());
    if (member_.deflated) {
      std::byte extra;
      if (inflate_into({&extra, 1}) != 0) fail<FileError>("zip: unpacks to more than {} bytes", member_.unpacked);
      if (place_ != member_.begin + member_.packed || stream_.avail_in != 0)
        fail<FileError>("zip: bytes after the packed data");
    }
    if (crc_ != member_.crc) fail<FileError>("zip: has CRC-32 {:08x}, the archive says {:08x}", crc_, member_.crc);
  }

 private:
  /// Fewer only at the end of the packed data.
  std::size_t inflate_into(std::span<std::byte> out) {
    std::size_t filled = 0;
    while (filled < out.size() && !ended_) {
      if (stream_.avail_in == 0) refill();
      const auto room = static_cast<uInt>(std::min<std::size_t>(out.size() - filled, std::numeric_limits<uInt>::max()));
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + filled);
      stream_.avail_out = room;
      const int status = inflate(&stream_, Z_NO_FLUSH);
      const std::size_t made = room - stream_.avail_out;
      filled += made;
      given_ += made;
      if (status == Z_STREAM_END) {
        ended_ = true;
      } else if (status == Z_DATA_ERROR || status == Z_NEED_DICT) {
        fail<FileError>("zip: damaged after {} bytes: {}", given_, stream_.msg != nullptr ? stream_.msg : "unknown");
      } else if (status == Z_MEM_ERROR) {
        fail<OutOfMemoryError>("zip: not enough memory");
      } else if (made == 0 && stream_.avail_in == 0 && place_ == member_.begin + member_.packed) {
        fail<FileError>("zip: cut off after {} bytes", given_);
      }
    }
    return filled;
  }

  void refill() {
    const std::uint64_t rest = member_.begin + member_.packed - place_;
    const auto part = std::span(buffer_).first(std::min<std::uint64_t>(rest, buffer_.size()));
    source_.read(place_, part);
    place_ += part.size();
    stream_.next_in = reinterpret_cast<Bytef*>(part.data());
    stream_.avail_in = static_cast<uInt>(part.size());
  }

  ByteSource& source_;
  const ZipMember member_;
  std::uint64_t place_;      // of the bytes that were not read yet
  std::uint64_t given_ = 0;  // unpacked so far
  uLong crc_ = 0;
  z_stream stream_{};
  bool inflating_ = false, ended_ = false;
  std::array<std::byte, 1 << 16> buffer_;
};

}  // namespace

std::vector<ZipMember> read_zip(ByteSource& source) {
  const Directory directory = find_directory(source);
  const std::vector<std::byte> bytes = read_part(source, directory.begin, directory.bytes);
  Fields fields{std::span(bytes)};
  std::vector<Located> all;
  std::set<std::string_view> names;
  all.reserve(directory.members);
  for (std::uint64_t i = 0; i < directory.members; ++i) {
    Located& located = all.emplace_back(read_entry(fields));
    located.member.begin = begin_of(source, located, directory.begin);
    if (!names.insert(located.member.name).second)
      fail<FileError>("zip: '{}' occurs twice", printable(located.member.name));
  }
  if (!fields.done()) fail<FileError>("zip: more in the directory than its {} members", directory.members);
  std::vector<const Located*> order;
  for (const Located& located : all) order.push_back(&located);
  std::ranges::sort(order, {}, [](const Located* located) { return located->header; });
  for (std::size_t i = 1; i < order.size(); ++i) {
    const ZipMember& before = order[i - 1]->member;
    if (order[i]->header < before.begin + before.packed) {
      fail<FileError>("zip: '{}' and '{}' overlap", printable(before.name), printable(order[i]->member.name));
    }
  }
  std::vector<ZipMember> members;
  for (Located& located : all) members.push_back(std::move(located.member));
  return members;
}

std::unique_ptr<ByteStream> open_member(ByteSource& source, const ZipMember& member) {
  return std::make_unique<MemberStream>(source, member);
}

}  // namespace temper::detail
