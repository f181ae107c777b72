#include <temper/data/records.hpp>

#include <algorithm>
#include <list>
#include <mutex>
#include <numeric>

#include <temper/core/random.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/records_internal.hpp"

namespace temper::data {

namespace fs = std::filesystem;

namespace {

using temper::detail::printable;
using temper::detail::RecordBlock;
using temper::detail::RecordFileInfo;

/// Streams of its own: the Loader's shuffling uses 0, Weighted small numbers, by_length those with bit 62 alone.
constexpr std::uint64_t of_blocks = std::uint64_t{3} << 62, of_buffers = std::uint64_t{2} << 62;
constexpr std::size_t buffers_at_once = 3;

template <class T>
void shuffle(std::vector<T>& values, const Epoch& epoch, std::uint64_t which) {
  const temper::detail::RandomStream random(epoch.seed, temper::detail::RandomUse::shuffle,
                                            static_cast<std::uint64_t>(epoch.number), which);
  for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[random.below(i, i)]);
}

/// The record files at a path. Throws: FileError for an incomplete set.
std::vector<fs::path> files_of(const fs::path& path) {
  const std::string name = printable(path.native());
  std::error_code error;
  if (!fs::is_directory(path, error)) return {path};
  std::vector<fs::path> files;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().native().ends_with(temper::detail::record_ending)) files.push_back(entry->path());
  }
  if (error) fail<FileError>("{}: cannot read: {}", name, error.message());
  if (files.empty()) fail<FileError>("{}: a folder without files *{}", name, temper::detail::record_ending);
  std::ranges::sort(files);
  // "00002-of-00004.records", as save_records names them.
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::string stem = files[i].stem().native();
    const std::size_t of = stem.find("-of-");
    if (of == std::string::npos) continue;
    const std::string expected = fmt::format("{:05}-of-{:05}", i, files.size());
    if (stem != expected) {
      fail<FileError>("{}: {} files, among them '{}', expected '{}'; is the set complete?", name, files.size(),
                      printable(stem), expected);
    }
  }
  return files;
}

}  // namespace

struct RecordFiles::Storage {
  struct File {
    fs::path path;
    RecordFileInfo info;
  };
  /// Consecutive records of one file.
  struct Block {
    std::uint32_t file;
    std::uint64_t first;
    std::uint32_t count;
  };
  /// The order of an epoch: its blocks, and the first record of each buffer.
  struct Plan {
    Epoch epoch;
    std::vector<std::uint32_t> blocks;  // empty: in file order
    std::vector<std::int64_t> begins;   // of each buffer, and the end of the last
  };
  /// Some blocks in memory, and the order in which their records come.
  struct Buffer {
    std::mutex mutex;  // held while the files are read
    bool filled = false;
    std::vector<RecordBlock> blocks;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> order;  // block, record in it
  };
  struct Held {
    Epoch epoch;
    std::size_t which;
    std::shared_ptr<Buffer> buffer;
  };

  Storage(const fs::path& path, const RecordOptions& its_options) : options(its_options) {
    constexpr std::int64_t longest_block = std::int64_t{1} << 31;
    if (options.buffer < 1 || options.block < 1 || options.block > longest_block) {
      fail<ValueError>("RecordFiles: buffer {} and block {}, expected 1 or more, and a block up to {}", options.buffer,
                       options.block, longest_block);
    }
    for (fs::path& file : files_of(path)) {
      temper::detail::FileSource source(file);
      const RecordFileInfo info =
          temper::detail::with_path(file, [&] { return temper::detail::read_record_info(source); });
      const auto block = static_cast<std::uint64_t>(std::min(options.block, options.buffer));
      for (std::uint64_t first = 0; first < info.records; first += block) {
        blocks.push_back({static_cast<std::uint32_t>(files.size()), first,
                          static_cast<std::uint32_t>(std::min(block, info.records - first))});
      }
      size += static_cast<std::int64_t>(info.records);
      files.push_back({std::move(file), info});
    }
    blocks_a_buffer = static_cast<std::size_t>(std::max<std::int64_t>(1, options.buffer / options.block));
  }

  std::shared_ptr<const Plan> plan_of(const Epoch& asked) const {
    const Epoch epoch = options.shuffle ? asked : Epoch{};  // else all are the same
    const std::lock_guard lock(mutex);
    for (const auto& known : plans) {
      if (known->epoch == epoch) return known;
    }
    auto plan = std::make_shared<Plan>();
    plan->epoch = epoch;
    if (options.shuffle) {
      plan->blocks.resize(blocks.size());
      std::iota(plan->blocks.begin(), plan->blocks.end(), 0u);
      shuffle(plan->blocks, epoch, of_blocks);
    }
    std::int64_t records = 0;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      if (i % blocks_a_buffer == 0) plan->begins.push_back(records);
      records += block_of(*plan, i).count;
    }
    plan->begins.push_back(records);
    plans.push_front(plan);
    if (plans.size() > 2) plans.pop_back();
    return plan;
  }

  const Block& block_of(const Plan& plan, std::size_t i) const {
    return blocks[plan.blocks.empty() ? i : plan.blocks[i]];
  }

  std::shared_ptr<Buffer> buffer_of(const Plan& plan, std::size_t which) const {
    std::shared_ptr<Buffer> buffer;
    {
      const std::lock_guard lock(mutex);
      const auto found =
          std::ranges::find_if(held, [&](const Held& h) { return h.which == which && h.epoch == plan.epoch; });
      if (found != held.end()) {
        held.splice(held.begin(), held, found);
      } else {
        held.push_front({plan.epoch, which, std::make_shared<Buffer>()});
        if (held.size() > buffers_at_once) held.pop_back();
      }
      buffer = held.front().buffer;
    }
    const std::lock_guard lock(buffer->mutex);
    if (!buffer->filled) {
      fill(*buffer, plan, which);
      buffer->filled = true;
    }
    return buffer;
  }

  void fill(Buffer& buffer, const Plan& plan, std::size_t which) const {
    std::vector<RecordBlock> read;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> order;
    const std::size_t begin = which * blocks_a_buffer, end = std::min(begin + blocks_a_buffer, blocks.size());
    for (std::size_t i = begin; i < end; ++i) {
      const Block& block = block_of(plan, i);
      const File& file = files[block.file];
      temper::detail::FileSource source(file.path);
      read.push_back(temper::detail::with_path(file.path, [&] {
        if (source.size() != file.info.bytes) {
          fail<FileError>("has {} bytes, it had {} when it was opened", source.size(), file.info.bytes);
        }
        return temper::detail::read_record_block(source, file.info, block.first, block.count);
      }));
      for (std::uint32_t record = 0; record < block.count; ++record)
        order.emplace_back(static_cast<std::uint32_t>(i - begin), record);
    }
    if (options.shuffle) shuffle(order, plan.epoch, of_buffers | which);
    buffer.blocks = std::move(read);
    buffer.order = std::move(order);
  }

  const RecordOptions options;
  std::vector<File> files;
  std::vector<Block> blocks;
  std::size_t blocks_a_buffer = 1;
  std::int64_t size = 0;

  mutable std::mutex mutex;  // guards the two lists, not the buffers
  mutable std::list<std::shared_ptr<const Plan>> plans;
  mutable std::list<Held> held;
};

RecordFiles::RecordFiles(const fs::path& path, const RecordOptions& options)
    : storage_(std::make_shared<const Storage>(path, options)) {}

std::int64_t RecordFiles::size() const { return storage_->size; }

Record RecordFiles::read(std::int64_t i, const Epoch& epoch) const {
  const Storage& storage = *storage_;
  if (i < 0 || i >= storage.size) fail<ValueError>("records: record {} of {}", i, storage.size);
  const auto plan = storage.plan_of(epoch);
  const auto which = static_cast<std::size_t>(std::ranges::upper_bound(plan->begins, i) - plan->begins.begin() - 1);
  auto buffer = storage.buffer_of(*plan, which);
  const auto [block, record] = buffer->order[static_cast<std::size_t>(i - plan->begins[which])];
  const Storage::Block& from = storage.block_of(*plan, which * storage.blocks_a_buffer + block);
  const std::span<const std::byte> bytes = buffer->blocks[block].record(record);
  return {bytes, std::move(buffer), storage.files[from.file].path.native(),
          static_cast<std::int64_t>(from.first + record)};
}

namespace detail {

void rethrow_at(const Record& record) {
  try {
    throw;
  } catch (const FileError& error) {
    fail<FileError>("{}: record {}: {}", printable(record.file), record.number, error.what());
  }
}

}  // namespace detail

}  // namespace temper::data
