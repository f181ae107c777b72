#include <temper/io/records.hpp>

#include <doctest/doctest.h>

#include <unistd.h>
#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/data/loader.hpp>
#include <temper/data/tensor_dataset.hpp>

#include "framework/data/records_internal.hpp"
#include "tests/data/counting.hpp"
#include "tests/data/files.hpp"
#include "tests/data/fuzz.hpp"

using namespace temper;
using temper_test::error_of;
using temper_test::Folder;
using temper_test::Numbers;
using temper_test::numbers_of;
using temper_test::range;
using temper_test::sorted;

namespace {

std::span<const std::byte> bytes(const std::string& text) { return std::as_bytes(std::span(text)); }
std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::filesystem::path written(const Folder& folder, const std::string& name, const std::vector<std::string>& records) {
  RecordWriter writer(folder / name);
  for (const std::string& record : records) writer.write(bytes(record));
  CHECK(writer.size() == std::ssize(records));
  writer.commit();
  return folder / name;
}

std::vector<std::string> all_of(const data::RecordFiles& files, const data::Epoch& epoch = {}) {
  std::vector<std::string> all;
  for (std::int64_t i = 0; i < files.size(); ++i) all.push_back(text_of(files.read(i, epoch).bytes));
  return all;
}

/// Example i is {i, i ones}.
struct Ragged {
  std::int64_t count;
  std::int64_t size() const { return count; }
  std::array<Tensor, 2> get(std::int64_t i) const { return {indices({i}).view({}), ones({i % 5})}; }
};

data::TensorDataset<1> counting(std::int64_t count) { return data::TensorDataset(arange(count)); }

std::int64_t resident_bytes() {
  std::int64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * ::sysconf(_SC_PAGE_SIZE);
}

}  // namespace

TEST_CASE("records: bytes in one file or many, in order") {
  const Folder folder;
  const auto one = written(folder, "a.records", {"first", "", std::string(100'000, 'x'), "last"});
  const data::RecordFiles file(one, {.buffer = 2, .block = 1});
  CHECK(all_of(file) == std::vector<std::string>{"first", "", std::string(100'000, 'x'), "last"});
  const data::Record record = file.read(3, {});
  CHECK(record.number == 3);
  CHECK(record.file == one.native());
  written(folder, "b.records", {"more"});
  CHECK(all_of(data::RecordFiles(folder.path())).back() == "more");
  CHECK(data::RecordFiles(folder.path()).size() == 5);
  CHECK(data::RecordFiles(written(folder, "none", {})).size() == 0);
  const data::Records lengths(
      file, [](std::span<const std::byte> of) { return std::array{scalar(static_cast<float>(of.size()))}; });
  CHECK(std::get<0>(lengths.get(2, {})).item() == 100'000);
}

TEST_CASE("records: examples of tensors of any shape and dtype") {
  const Folder folder;
  save_records(folder / "set", Ragged{23}, {.per_file = 10});
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "set")) names.insert(entry.path().filename());
  CHECK(names == std::set<std::string>{"00000-of-00003.records", "00001-of-00003.records", "00002-of-00003.records"});
  const data::TensorRecords<2> records(folder / "set");
  REQUIRE(records.size() == 23);
  for (std::int64_t i = 0; i < 23; ++i) {
    const auto [number, values] = records.get(i, {});
    CHECK(number.item() == i);
    CHECK(values.shape() == Shape{i % 5});
  }
  CHECK(error_of([&] { data::TensorRecords<1>(folder / "set").get(12, {}); }) ==
        (folder / "set").native() + "/00001-of-00003.records: record 2: has 2 tensors, expected 1");
  Tensor half = empty({2}, Dtype::bf16), flag = empty({}, Dtype::boolean);
  half.mutable_data<BFloat16>()[0] = {1};
  half.mutable_data<BFloat16>()[1] = {0xffff};
  *flag.mutable_data<bool>() = true;
  const std::array<Tensor, 3> mixed{half, flag, zeros({0, 4})};
  std::array<Tensor, 3> back;
  data::detail::decode(data::detail::encoded(mixed), back);
  CHECK(back[0].values<BFloat16>()[1].bits == 0xffff);
  CHECK(*back[1].data<bool>());
  CHECK(back[2].shape() == Shape{0, 4});
}

TEST_CASE("records: a shuffled epoch has every record once, drawn from all files, anew each epoch") {
  const Folder folder;
  save_records(folder / "set", counting(1000), {.per_file = 90});
  const data::TensorRecords<1> records(folder / "set", {.shuffle = true, .buffer = 100, .block = 10});
  data::Loader loader(records, {.batch_size = 7, .seed = 2});
  const Numbers first = numbers_of(loader), second = numbers_of(loader);
  CHECK(sorted(first) == range(1000));
  CHECK(sorted(second) == range(1000));
  CHECK(first != second);
  // What comes early in the epoch comes from everywhere, and neighbours in the file are no neighbours there.
  double sum = 0;
  for (std::size_t i = 0; i < 100; ++i) sum += static_cast<double>(first[i]) / 100;
  CHECK(std::abs(sum - 499.5) < 320);  // ten blocks: deviation 91
  int neighbours = 0;
  for (std::size_t i = 1; i < first.size(); ++i) neighbours += std::abs(first[i] - first[i - 1]) == 1;
  CHECK(neighbours < 50);
  data::Loader other(records, {.batch_size = 7, .seed = 3});
  CHECK(numbers_of(other) != first);
}

TEST_CASE("records: the same for any number of workers, and exactly on from the middle of an epoch") {
  const Folder folder;
  save_records(folder / "set", counting(500), {.per_file = 120});
  const auto loader_of = [&](int workers) {
    // A buffer smaller than what the workers prepare ahead.
    return data::Loader(data::TensorRecords<1>(folder / "set", {.shuffle = true, .buffer = 32, .block = 8}),
                        {.batch_size = 16, .workers = workers, .prefetch = 8, .seed = 5});
  };
  data::Loader whole = loader_of(0);
  const Numbers first = numbers_of(whole), second = numbers_of(whole);
  for (const int workers : {1, 4}) {
    data::Loader loader = loader_of(workers);
    CHECK(numbers_of(loader) == first);
    for (const std::int64_t batch : {1, 17, 31}) {
      data::Loader resumed = loader_of(workers);
      resumed.restore({.epoch = 2, .batch = batch, .seed = 5});
      CHECK(numbers_of(resumed) == Numbers(second.begin() + batch * 16, second.end()));
    }
  }
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they keep freed memory for a while
TEST_CASE("records: memory holds a few buffers, however much there is") {
  const Folder folder;
  {
    RecordWriter writer(folder / "large.records");
    const std::string record(1 << 16, 'x');
    for (int i = 0; i < 2000; ++i) writer.write(bytes(record));  // 131 MB
    writer.commit();
  }
  const data::RecordFiles files(folder / "large.records", {.shuffle = true, .buffer = 64, .block = 16});
  files.read(0, {});
  const std::int64_t before = resident_bytes();
  std::int64_t most = 0;
  for (std::int64_t i = 0; i < files.size(); ++i) {
    CHECK(files.read(i, {}).bytes.size() == 1 << 16);
    if (i % 50 == 0) most = std::max(most, resident_bytes());
  }
  CHECK(most - before < 40'000'000);  // three buffers of 4 MB, one of them in the making
}
#endif

TEST_CASE("records: damaged files") {
  const Folder folder;
  const std::string good = Folder::read(written(folder, "good.records", {"first", "second", "third"}));
  const auto error = [&](const std::string& text) {
    const auto path = folder.write("bad.records", text);
    const std::string message = error_of([&] { all_of(data::RecordFiles(path)); });
    return message.starts_with(path.native()) ? message.substr(path.native().size()) : message;
  };
  const auto changed = [&](std::size_t place, char value) {
    std::string text = good;
    text[place] = value;
    return error(text);
  };
  REQUIRE(error(good) == "accepted");
  CHECK(good.size() == 8 + 16 + 3 * 12 + 24);
  CHECK(error("") == ": records: begins with '\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00', expected TMPRREC1");
  CHECK(error("PK\3\4....") == ": records: this is a zip archive, as torch.save and numpy.savez write");
  CHECK(error(good.substr(0, 20)) == ": records: 20 bytes, expected at least 32; it is cut off");
  CHECK(error(good.substr(0, good.size() - 1)) == ": records: does not end with TMPRREC1; it is cut off");
  CHECK(changed(10, 'X').starts_with(": records: record 0 has CRC-32 "));
  CHECK(changed(24, 100) == ": records: record 0 would be the bytes from 8 to 100 of 24");
  CHECK(changed(24 + 12, 9) == ": records: record 1 would be the bytes from 13 to 9 of 24");
  CHECK(changed(good.size() - 24, 4) == ": records: the list of 4 records at 24 does not fit a file of 84 bytes");
  CHECK(changed(good.size() - 9, '\xff').starts_with(": records: the list of 3 records at "));
  temper_test::fuzz({good}, 10'000, [&](const std::string& text) {
    detail::MemorySource source(bytes(text));
    const detail::RecordFileInfo info = detail::read_record_info(source);
    detail::read_record_block(source, info, 0, info.records);
  });
  const auto tensors = data::detail::encoded(std::array{ones({2, 3}), indices({1, 2})});
  temper_test::fuzz({text_of(tensors)}, 10'000, [&](const std::string& text) {
    std::array<Tensor, 2> fields;
    data::detail::decode(bytes(text), fields);
  });
}

TEST_CASE("records: sets of which some are missing, files that change, options") {
  const Folder folder;
  save_records(folder / "set", counting(30), {.per_file = 10});
  CHECK(error_of([&] {
          save_records(folder / "set", counting(30), {.per_file = 5});
        }).ends_with("there already, and not one of the 6 files to be written; take another folder"));
  save_records(folder / "set", counting(30), {.per_file = 10});  // the same once more
  const data::RecordFiles files(folder / "set");
  std::filesystem::remove(folder / "set/00001-of-00003.records");
  CHECK(error_of([&] { data::RecordFiles(folder / "set"); }) ==
        (folder / "set").native() +
            ": 2 files, among them '00000-of-00003', expected '00000-of-00002'; is the set complete?");
  CHECK(error_of([&] { files.read(15, {}); }) ==
        (folder / "set").native() + "/00001-of-00003.records: cannot open: No such file or directory");
  folder.write("set/00000-of-00003.records", "other");
  CHECK(
      error_of([&] { data::RecordFiles(files).read(0, {}); }).ends_with("has 5 bytes, it had 262 when it was opened"));
  std::filesystem::create_directory(folder / "empty");
  CHECK(error_of([&] { data::RecordFiles(folder / "empty"); }) ==
        (folder / "empty").native() + ": a folder without files *.records");
  CHECK_THROWS_WITH_AS(files.read(30, {}), "records: record 30 of 30", ValueError);
  CHECK_THROWS_AS(data::RecordFiles(folder / "set", {.buffer = 0}), ValueError);
  CHECK_THROWS_AS(save_records(folder / "other", counting(3), {.per_file = 0}), ValueError);
  CHECK(!std::filesystem::exists(folder / "other"));
  {
    RecordWriter writer(folder / "never.records");
    writer.write(bytes("x"));
  }
  CHECK(!std::filesystem::exists(folder / "never.records"));
}
