#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <string>

#include <temper/core/errors.hpp>
#include <temper/io/safetensors.hpp>

#include "framework/data/file_internal.hpp"
#include "framework/io/safetensors_internal.hpp"
#include "framework/tensor/bytes_internal.hpp"
#include "tests/data/files.hpp"

using namespace temper;
using temper_test::Folder;

namespace {

Tensor mask(std::initializer_list<bool> values) {
  Tensor tensor = empty({static_cast<std::int64_t>(values.size())}, Dtype::boolean);
  std::ranges::copy(values, tensor.mutable_data<bool>());
  return tensor;
}

Tensors examples() {
  Tensor halves = empty({3}, Dtype::bf16);
  halves.mutable_data<BFloat16>()[0] = {0x3f80};
  halves.mutable_data<BFloat16>()[1] = {0xc000};
  halves.mutable_data<BFloat16>()[2] = {0x7fc1};
  const float inf = std::numeric_limits<float>::infinity();
  return {{"conv1.weight", normal({4, 1, 3, 3})},
          {"odd", mask({true, false, true})},
          {"step", indices({-1, 1 << 30, 7})},
          {"halves", halves},
          {"special", from({inf, -inf, std::nanf("0x123"), -0.0f, 1e-45f}, {5})},
          {"scalar", scalar(2.5f)},
          {"nothing", zeros({2, 0, 3})},
          {"quote\" back\\slash \u00e9\U0001F600", scalar(1)}};
}

void check_equal(const Tensors& a, const Tensors& b) {
  REQUIRE(a.size() == b.size());
  for (const auto& entry : a) {
    const auto& [name, tensor] = entry;
    CAPTURE(entry.first);
    const Tensor& other = b.at(name);
    CHECK(tensor.shape() == other.shape());
    CHECK(tensor.dtype() == other.dtype());
    CHECK(std::ranges::equal(detail::bytes_of(tensor), detail::bytes_of(other)));
  }
}

template <class Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const FileError& error) {
    return error.what();
  }
  return "accepted";
}

std::string load_error(const std::filesystem::path& path) {
  return error_of([&] { load_tensors(path); });
}

}  // namespace

TEST_CASE("safetensors: saving and loading keeps every bit") {
  const Folder folder;
  const Metadata metadata{{"model", "cnn \"v1\"\n"}, {"", "no key"}};
  const Tensors saved = examples();
  save_tensors(folder / "a.safetensors", saved, metadata);
  const TensorFile file = load_tensors(folder / "a.safetensors");
  CHECK(file.metadata == metadata);
  check_equal(file.tensors, saved);
  // Saving the loaded tensors gives the same bytes.
  save_tensors(folder / "b.safetensors", file.tensors, file.metadata);
  CHECK(Folder::read(folder / "a.safetensors") == Folder::read(folder / "b.safetensors"));
  save_tensors(folder / "empty.safetensors", {});
  CHECK(load_tensors(folder / "empty.safetensors").tensors.empty());
}

TEST_CASE("safetensors: elements are aligned in the file") {
  const Folder folder;
  save_tensors(folder / "a", examples());
  const std::string bytes = Folder::read(folder / "a");
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), 8);
  CHECK(header % 8 == 0);
  CHECK(bytes.find("\"step\":{\"dtype\":\"I64\",\"shape\":[3],\"data_offsets\":[0,24]}") != std::string::npos);
}

TEST_CASE("safetensors: a file may be replaced while its tensors are in use") {
  const Folder folder;
  save_tensors(folder / "a", {{"x", full({1000}, 1.0f)}});
  const TensorFile file = load_tensors(folder / "a");
  save_tensors(folder / "a", file.tensors);
  save_tensors(folder / "a", {{"x", full({1000}, 2.0f)}});
  CHECK(file.tensors.at("x").values<float>()[999] == 1.0f);
  CHECK(load_tensors(folder / "a").tensors.at("x").values<float>()[999] == 2.0f);
}

TEST_CASE("safetensors: every flipped bit is detected") {
  const Folder folder;
  save_tensors(folder / "a", {{"w", from({1, 2, 3, 4, 5, 6}, {2, 3})}, {"none", zeros({0, 4})}, {"m", mask({true})}},
               {{"note", "x"}});
  const std::string whole = Folder::read(folder / "a");
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    detail::MemorySource source(std::as_bytes(std::span(damaged.data(), damaged.size())));
    const std::string error = error_of([&] { detail::read_safetensors(source, {}); });
    CHECK_MESSAGE(error != "accepted", "bit " << bit % 8 << " of byte " << bit / 8);
  }
}

TEST_CASE("safetensors: checksums name what is damaged") {
  const Folder folder;
  save_tensors(folder / "a", {{"w", from({1, 2}, {2})}, {"b", scalar(1)}});
  std::string bytes = Folder::read(folder / "a");
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  const std::string error = load_error(folder.write("b", bytes));
  CHECK_MESSAGE(error.starts_with((folder / "b").native() + ": checksum_mismatch: tensor 'w' has CRC-32 "), error);
}

TEST_CASE("safetensors: tensors that cannot be stored are refused before anything is written") {
  const Folder folder;
  const auto refused = [&](const Tensors& tensors, const Metadata& metadata = {}) {
    CHECK_THROWS_AS(save_tensors(folder / "a", tensors, metadata), ValueError);
    CHECK(std::filesystem::is_empty(folder.path()));
  };
  refused({{"", scalar(1)}});
  refused({{"__metadata__", scalar(1)}});
  refused({{"line\nbreak", scalar(1)}});
  refused({{std::string(2000, 'n'), scalar(1)}});
  refused({{"\xff", scalar(1)}});
  refused({{"x", Tensor()}});
  refused({}, {{"temper.crc32", "0"}});
  refused({}, {{"key", "\xc0\x80"}});
}

TEST_CASE("safetensors: paths that are not readable files") {
  const Folder folder;
  const std::string place = folder.path().native();
  CHECK(load_error(folder / "none") == place + "/none: cannot open: No such file or directory");
  CHECK(load_error(folder.path()) == place + ": a folder without model.safetensors or model.safetensors.index.json");
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(load_error(folder / "pipe") == place + "/pipe: expected a file, this is a pipe");
  CHECK(load_error("/dev/zero") == "/dev/zero: expected a file, this is a device");
  std::filesystem::create_symlink("nowhere", folder / "dangling");
  CHECK(load_error(folder / "dangling") == place + "/dangling: cannot open: No such file or directory");
  CHECK(load_error(folder / "line\nbreak").starts_with(place + "/line\\x0abreak: cannot open"));
  CHECK(load_error(std::string("a\0b", 3)) == "a\\x00b: a path cannot hold a zero byte");
  if (::geteuid() != 0) {  // root can read everything
    std::filesystem::permissions(folder.write("secret", "x"), std::filesystem::perms::none);
    CHECK(load_error(folder / "secret") == place + "/secret: cannot open: Permission denied");
  }

  const auto save_error = [](const std::filesystem::path& path) {
    return error_of([&] { save_tensors(path, {{"x", scalar(1)}}); });
  };
  CHECK(save_error(folder.path()) == place + ": expected a file to replace");
  CHECK(save_error(folder / "pipe") == place + "/pipe: expected a file to replace");
  CHECK(save_error("/dev/null") == "/dev/null: expected a file to replace");
  CHECK(save_error(std::string("a\0b", 3)) == "a\\x00b: a path cannot hold a zero byte");
}

TEST_CASE("safetensors: a sparse file of a terabyte is refused without reading it") {
  const Folder folder;
  const std::string header = R"({"x":{"dtype":"F32","shape":[274877906944],"data_offsets":[0,1099511627776]}})";
  std::uint64_t length = header.size();
  const auto path = folder.write("huge", std::string(reinterpret_cast<const char*>(&length), 8) + header);
  REQUIRE(::truncate(path.c_str(), static_cast<off_t>(8 + header.size() + 1099511627776)) == 0);
  const std::string error = load_error(path);
  CHECK_MESSAGE(error.find("huge: too_large: 1099511627776 bytes of tensors, the limit is ") != std::string::npos,
                error);
}

TEST_CASE("files: one that shrinks or grows while it is read is refused") {
  const Folder folder;
  const auto path = folder.write("a", std::string(100, 'x'));
  std::array<std::byte, 100> bytes;
  {
    detail::FileSource file(path);
    REQUIRE(::truncate(path.c_str(), 60) == 0);
    CHECK_THROWS_WITH_AS(file.read(0, bytes), "ended after 60 bytes, it had 100 when it was opened", FileError);
  }
  {
    detail::FileSource file(path);
    REQUIRE(::truncate(path.c_str(), 61) == 0);
    file.read(0, std::span(bytes).first(60));
    CHECK_THROWS_WITH_AS(file.expect_end(), "has more than the 60 bytes it had when it was opened", FileError);
  }
  CHECK_THROWS_WITH_AS(detail::read_file(path, 60), (path.native() + ": has 61 bytes, the limit is 60").c_str(),
                       FileError);
}
