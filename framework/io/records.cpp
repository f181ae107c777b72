#include <temper/io/records.hpp>

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/records_internal.hpp"
#include "framework/io/atomic_file_internal.hpp"

namespace temper {

namespace {

constexpr std::size_t write_at_once = 1 << 20;

template <class T>
void put(std::vector<std::byte>& out, const T& value) {
  out.resize(out.size() + sizeof value);
  std::memcpy(out.data() + out.size() - sizeof value, &value, sizeof value);
}

}  // namespace

struct RecordWriter::Impl {
  explicit Impl(const std::filesystem::path& path) : file(path) { put_magic(); }

  void put_magic() {
    const std::size_t before = waiting.size();
    waiting.resize(before + detail::record_magic.size());
    std::memcpy(waiting.data() + before, detail::record_magic.data(), detail::record_magic.size());
  }
  void flush() {
    file.write(waiting);
    waiting.clear();
  }
  void check_open() const {
    if (committed) fail<ValueError>("RecordWriter: the file was committed already");
  }

  detail::AtomicFile file;
  std::vector<std::byte> waiting;  // for a write of some size
  std::vector<std::byte> list;
  std::uint64_t place = detail::record_magic.size();
  std::uint64_t records = 0;
  bool committed = false;
};

RecordWriter::RecordWriter(const std::filesystem::path& path) : impl_(std::make_unique<Impl>(path)) {}
RecordWriter::~RecordWriter() = default;
RecordWriter::RecordWriter(RecordWriter&&) noexcept = default;
RecordWriter& RecordWriter::operator=(RecordWriter&&) noexcept = default;

void RecordWriter::write(std::span<const std::byte> record) {
  impl_->check_open();
  impl_->waiting.insert(impl_->waiting.end(), record.begin(), record.end());
  impl_->place += record.size();
  put(impl_->list, impl_->place);
  put(impl_->list,
      static_cast<std::uint32_t>(::crc32_z(0, reinterpret_cast<const Bytef*>(record.data()), record.size())));
  ++impl_->records;
  if (impl_->waiting.size() >= write_at_once) impl_->flush();
}

std::int64_t RecordWriter::size() const { return static_cast<std::int64_t>(impl_->records); }

void RecordWriter::commit() {
  impl_->check_open();
  impl_->flush();
  impl_->file.write(impl_->list);
  put(impl_->waiting, impl_->records);
  put(impl_->waiting, impl_->place);
  impl_->put_magic();
  impl_->flush();
  impl_->file.commit();
  impl_->committed = true;
}

namespace detail {

namespace fs = std::filesystem;

std::vector<fs::path> record_paths(const fs::path& folder, std::int64_t size, const SaveRecordsOptions& options) {
  if (options.per_file < 1) fail<ValueError>("save_records: {} examples a file, expected 1 or more", options.per_file);
  if (size < 0) fail<ValueError>("save_records: a data set of {} examples, expected 0 or more", size);
  const std::int64_t count =
      std::max<std::int64_t>(1, size / options.per_file + (size % options.per_file != 0 ? 1 : 0));
  if (count > 99'999) fail<ValueError>("save_records: {} files, expected 99999 or fewer; raise .per_file", count);
  std::vector<fs::path> paths;
  for (std::int64_t i = 0; i < count; ++i)
    paths.push_back(folder / fmt::format("{:05}-of-{:05}{}", i, count, record_ending));
  std::error_code error;
  if (!fs::exists(folder, error)) return paths;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const fs::path& there = entry->path();
    if (there.native().ends_with(record_ending) && std::ranges::find(paths, there) == paths.end()) {
      fail<FileError>("{}: there already, and not one of the {} files to be written; take another folder",
                      printable(there.native()), count);
    }
  }
  if (error) fail<FileError>("{}: cannot read: {}", printable(folder.native()), error.message());
  return paths;
}

}  // namespace detail

}  // namespace temper
