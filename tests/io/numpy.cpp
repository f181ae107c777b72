#include <temper/io/numpy.hpp>

#include <doctest/doctest.h>
#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

#include "framework/data/file_internal.hpp"
#include "framework/io/numpy_internal.hpp"
#include "tests/data/files.hpp"
#include "tests/data/fuzz.hpp"
#include "tests/data/golden.hpp"

using namespace temper;
using namespace std::string_literals;
using temper_test::error_of;
using temper_test::Folder;
using temper_test::from_base64;
using temper_test::golden_data;

namespace {

Tensor read_npy(const std::string& bytes, const NumpyOptions& options = {}) {
  detail::MemorySource source(std::as_bytes(std::span(bytes)));
  return detail::read_npy(source, options);
}

Tensors read_npz(const std::string& bytes, const NumpyOptions& options = {}) {
  detail::MemorySource source(std::as_bytes(std::span(bytes)));
  return detail::read_npz(source, options);
}

std::string verdict(const std::string& bytes) {
  return error_of([&] { read_npy(bytes, {.max_bytes = 1 << 20}); });
}

std::vector<double> numbers_of(const Tensor& tensor) {
  std::vector<double> numbers;
  switch (tensor.dtype()) {
    case Dtype::f32: numbers.assign(tensor.values<float>().begin(), tensor.values<float>().end()); break;
    case Dtype::i64: numbers.assign(tensor.values<std::int64_t>().begin(), tensor.values<std::int64_t>().end()); break;
    case Dtype::boolean: numbers.assign(tensor.values<bool>().begin(), tensor.values<bool>().end()); break;
    case Dtype::bf16:
      for (const BFloat16 x : tensor.values<BFloat16>()) numbers.push_back(x.bits);
  }
  return numbers;
}

std::vector<std::int64_t> sizes_of(const Tensor& tensor) { return {tensor.shape().begin(), tensor.shape().end()}; }

std::string npy(const std::string& dictionary, const std::string& data = "", char version = 1) {
  std::string length(version == 1 ? 2 : 4, '\0');
  length[0] = static_cast<char>(dictionary.size() & 0xff);
  length[1] = static_cast<char>(dictionary.size() >> 8);
  return "\x93NUMPY"s + version + '\0' + length + dictionary + data;
}

std::string dictionary(const std::string& descr, const std::string& shape, const std::string& order = "False") {
  return "{'descr': "s + descr + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }\n";
}

Tensor bfloats() {
  Tensor tensor = empty({2}, Dtype::bf16);
  tensor.mutable_data<BFloat16>()[0] = {0x3fc0};  // 1.5
  tensor.mutable_data<BFloat16>()[1] = {0xc000};  // -2
  return tensor;
}

Tensor bools() {
  Tensor tensor = empty({3}, Dtype::boolean);
  std::ranges::copy(std::array{true, false, true}, tensor.mutable_data<bool>());
  return tensor;
}

Tensors of_every_kind() {
  return {{"bf16", bfloats()},
          {"bool", bools()},
          {"i64", indices({-(1ll << 62), 7})},
          {"f32", from({0.5f, -1, 2, 3, 4, 5.25f}, {2, 3})},
          {"scalar", scalar(-0.125f)},
          {"empty", zeros({0, 3})},
          {"deep/er", zeros({1, 2, 1, 2, 1, 2, 1, 2})}};
}

void check_equal(const Tensors& a, const Tensors& b) {
  REQUIRE(a.size() == b.size());
  for (const auto& [name, tensor] : a) {
    CAPTURE(name);
    REQUIRE(b.contains(name));
    CHECK(tensor.dtype() == b.at(name).dtype());
    CHECK(tensor.shape() == b.at(name).shape());
    CHECK(numbers_of(tensor) == numbers_of(b.at(name)));
  }
}

std::string python() {
  for (const std::string candidate : {"/usr/bin/python3", "python3"}) {
    if (std::system((candidate + " -c 'import numpy' > /dev/null 2>&1").c_str()) == 0) return candidate;
  }
  return "";
}

}  // namespace

TEST_CASE("npy: what NumPy writes, of either byte order and all versions, in C and Fortran order") {
  for (const auto& recorded : golden_data()["arrays"]) {
    CAPTURE(recorded["name"]);
    const Tensor tensor = read_npy(from_base64(recorded["file"].get<std::string>()));
    CHECK(sizes_of(tensor) == recorded["shape"].get<std::vector<std::int64_t>>());
    std::vector<double> expected = recorded["values"].get<std::vector<double>>();
    if (tensor.dtype() == Dtype::f32) {
      for (double& x : expected) x = static_cast<float>(x);
    }
    CHECK(numbers_of(tensor) == expected);
  }
  CHECK(golden_data()["arrays"].size() > 30);
}

TEST_CASE("npy: arrays that are no numbers are called what they are") {
  const auto& refused = golden_data()["refused"];
  const auto said = [&](const char* name) { return verdict(from_base64(refused[name].get<std::string>())); };
  const auto others = [](const std::string& descr, const std::string& what) {
    return "npy: '" + descr + "' are " + what + "; bool, integers, f2, f4, f8 and bfloat16 (V2) can be read";
  };
  CHECK(said("texts") == others("<U2", "texts"));
  CHECK(said("bytes") == others("|S2", "texts"));
  CHECK(said("complex") == others("<c8", "complex numbers"));
  CHECK(said("dates") == others("<M8[D]", "dates or times"));
  CHECK(said("objects") == others("|O", "pickled Python objects"));
  CHECK(said("void") == others("|V3", "elements of an unknown kind"));
  CHECK(said("long double") == others("<f16", "elements of an unknown kind"));
  CHECK(said("structured") == "npy: a structured array, which has names for its fields; save each field");
  CHECK(said("too large") ==
        "integer_overflow: tensor 'array' has 9223372036854775808, i64 holds at most "
        "9223372036854775807");
}

TEST_CASE("npy: headers as other programs write them") {
  const std::string four(16, '\0');
  CHECK(read_npy(npy("{\"shape\":(4,),\"fortran_order\":False,\"descr\":\"<f4\"}", four)).shape() == Shape{4});
  CHECK(read_npy(npy("{'descr': '=f4', 'fortran_order': False, 'shape': (2L, 2L)}   \n", four)).shape() == Shape{2, 2});
  CHECK(read_npy(npy(dictionary("'<f4'", "( 4 , )"), four, 2)).shape() == Shape{4});
  CHECK(numbers_of(read_npy(npy(dictionary("'|V2'", "(2,)"), "\xc0\x3f\x00\xc0"s))) ==
        std::vector<double>{0x3fc0, 0xc000});
  CHECK(numbers_of(read_npy(npy(dictionary("'>V2'", "(2,)"), "\x3f\xc0\xc0\x00"s))) ==
        std::vector<double>{0x3fc0, 0xc000});
}

TEST_CASE("npy: damaged files") {
  const std::string good = dictionary("'<f4'", "(4,)"), four(16, '\0');
  REQUIRE(verdict(npy(good, four)) == "accepted");
  CHECK(verdict("") == "npy: ended after 0 bytes, 8 more are missing");
  CHECK(verdict("\x93NUMPX\1\0"s) == "npy: begins with '\x93NUMPX', expected \\x93NUMPY");
  CHECK(verdict("PK\x03\x04\1\0\0\0"s) == "npy: this is a zip archive, as torch.save and numpy.savez write");
  CHECK(verdict(npy(good, four, 4)) == "npy: version 4.0, expected 1.0, 2.0 or 3.0");
  CHECK(verdict(npy(good, four, 0)) == "npy: version 0.0, expected 1.0, 2.0 or 3.0");
  CHECK(verdict("\x93NUMPY\2\0\xff\xff\xff\xff"s) == "npy: a header of 4294967295 bytes, the limit is 65536");
  CHECK(verdict(npy(good).substr(0, 30)) == "npy: ended after 30 bytes, 38 more are missing");
  CHECK(verdict(npy(good, four.substr(1))) == "npy: [4] of 4 bytes each need 16 bytes, there are at most 15");
  CHECK(verdict(npy(good, four + "x")) == "npy: 1 bytes after the array; several arrays in one file are an .npz");
  CHECK(verdict(npy(dictionary("'<f4'", "(9223372036854775807,)"))) ==
        "npy: [9223372036854775807] of 4 bytes each overflow 64 bits");
  CHECK(verdict(npy(dictionary("'|b1'", "(9223372036854775807,)"))) ==
        "npy: [9223372036854775807] of 1 bytes each need 9223372036854775807 bytes, there are at most 0");
  CHECK(verdict(npy(dictionary("'<f4'", "(4294967296, 4294967296)"))).starts_with("npy: "));
  CHECK(verdict(npy(dictionary("'<f4'", "(9223372036854775808,)"))) ==
        "npy: the header has '9223372036854775' at byte 51, expected a size from 0 to 2^63 - 1");
  CHECK(verdict(npy(dictionary("'<f4'", "(-1,)"))).ends_with("expected a size from 0 to 2^63 - 1"));
  CHECK(verdict(npy(dictionary("'<f4'", "(4)"), four)).ends_with("expected ',' as Python writes a tuple of one"));
  CHECK(verdict(npy(dictionary("'<f4'", "(1,1,1,1,1,1,1,1,1)"), four)) == "npy: 9 axes, a tensor has at most 8");
  CHECK(verdict(npy(dictionary("'<f4'", "(4,)", "false"), four)).ends_with("expected True or False"));
  CHECK(verdict(npy("{'descr': '<f4', 'shape': (4,), }\n", four)) == "npy: the header has no 'fortran_order'");
  CHECK(verdict(npy("{'descr': '<f4', 'descr': '<f4', }\n", four)) == "npy: the header has 'descr' twice");
  CHECK(verdict(npy("{'dtype': '<f4', }\n", four)) ==
        "npy: the header has 'dtype', expected descr, fortran_order and shape");
  CHECK(verdict(npy(good.substr(0, good.size() - 1) + "x\n", four)).ends_with("expected nothing after the dictionary"));
  CHECK(verdict(npy("{'descr': '<f4", four)).ends_with("expected the end of the text"));
  CHECK(verdict(npy("[]", four)) == "npy: the header has '[]' at byte 0, expected '{'");
  CHECK(verdict(npy(dictionary("'<f4'", "(4,)").substr(0, 20), four)).starts_with("npy: the header has "));
  CHECK(verdict(npy(dictionary("'|b1'", "(2,)"), "\1\2"s)) == "npy: a bool array has bytes other than 0 and 1");
  // What it becomes here is larger than what it is there.
  CHECK(verdict(npy(dictionary("'|i1'", "(200000,)"), std::string(200'000, '\0'))) ==
        "npy: [200000] takes 1600000 bytes, the limit is 1048576");
}

TEST_CASE("npy and npz: written and read again, whole or not at all") {
  const Folder folder;
  const Tensors all = of_every_kind();
  for (const auto& [name, tensor] : all) {
    save_npy(folder / "one.npy", tensor);
    check_equal({{name, load_npy(folder / "one.npy")}}, {{name, tensor}});
    CHECK((std::filesystem::file_size(folder / "one.npy") -
           static_cast<std::uint64_t>(tensor.numel()) * size_of(tensor.dtype())) %
              64 ==
          0);
  }
  for (const bool compress : {false, true}) {
    save_npz(folder / "all.npz", all, {.compress = compress});
    check_equal(load_npz(folder / "all.npz"), all);
    const std::string first = Folder::read(folder / "all.npz");
    save_npz(folder / "all.npz", all, {.compress = compress});
    CHECK(Folder::read(folder / "all.npz") == first);
    check_equal(load_npz(folder / "all.npz", {.wanted = [](std::string_view name) { return name == "i64"; }}),
                {{"i64", all.at("i64")}});
  }
  save_npz(folder / "large.npz", {{"a", zeros({300, 1000})}}, {.compress = true});
  CHECK(std::filesystem::file_size(folder / "large.npz") < 10'000);
  CHECK(load_npz(folder / "large.npz").at("a").shape() == Shape{300, 1000});
  save_npz(folder / "none.npz", {});
  CHECK(load_npz(folder / "none.npz").empty());
  CHECK_THROWS_AS(save_npy(folder / "none.npy", Tensor()), ValueError);
  CHECK(!std::filesystem::exists(folder / "none.npy"));
  CHECK_THROWS_WITH_AS(save_npz(folder / "bad.npz", {{"a", Tensor()}}), "save_npz: tensor 'a' is undefined",
                       ValueError);
  for (const std::string name : {"", "a\nb", "\xff"})
    CHECK_THROWS_AS(save_npz(folder / "bad.npz", {{name, scalar(1)}}), ValueError);
  CHECK(!std::filesystem::exists(folder / "bad.npz"));
  CHECK(error_of([&] { load_npy(folder / "absent.npy"); }) ==
        (folder / "absent.npy").native() + ": cannot open: No such file or directory");
}

TEST_CASE("npz: archives of NumPy, stored and compressed") {
  const auto& archives = golden_data()["archives"];
  for (const char* kind : {"stored", "deflated"}) {
    CAPTURE(kind);
    const Tensors read = read_npz(from_base64(archives["files"][kind].get<std::string>()));
    REQUIRE(read.size() == archives["arrays"].size());
    for (const auto& [name, expected] : archives["arrays"].items()) {
      CAPTURE(name);
      REQUIRE(read.contains(name));
      CHECK(sizes_of(read.at(name)) == expected["shape"].get<std::vector<std::int64_t>>());
      CHECK(numbers_of(read.at(name)) == expected["values"].get<std::vector<double>>());
    }
  }
}

TEST_CASE("npy and npz: NumPy reads what is written here") {
  const std::string interpreter = python();
  REQUIRE_MESSAGE(!interpreter.empty(), "no python3 has numpy; apt-get install python3-numpy");
  const Folder folder;
  save_npy(folder / "one.npy", from({0.5f, 1, 2, 3, 4, 5.25f}, {2, 3}));
  Tensors all = of_every_kind();
  save_npz(folder / "stored.npz", all);
  save_npz(folder / "packed.npz", all, {.compress = true});
  const auto script = folder.write("read.py", R"(import sys, zipfile
import numpy as np
folder = sys.argv[1]
print(np.load(folder + "/one.npy").tolist())
for name in ("stored", "packed"):
    assert zipfile.ZipFile(f"{folder}/{name}.npz").testzip() is None
    file = np.load(f"{folder}/{name}.npz")
    for key in sorted(file):
        array = file[key]
        shown = array.view("<u2") if array.dtype.kind == "V" else array
        print(name, key, array.dtype.str, array.shape, shown.ravel().tolist())
)");
  const std::string command =
      interpreter + " " + script.native() + " " + folder.path().native() + " > " + (folder / "out").native();
  REQUIRE(std::system(command.c_str()) == 0);
  std::string expected = "[[0.5, 1.0, 2.0], [3.0, 4.0, 5.25]]\n";
  for (const std::string name : {"stored", "packed"}) {
    expected +=
        name + " bf16 |V2 (2,) [16320, 49152]\n" + name + " bool |b1 (3,) [True, False, True]\n" + name +
        " deep/er <f4 (1, 2, 1, 2, 1, 2, 1, 2) [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, "
        "0.0, 0.0, 0.0]\n" +
        name + " empty <f4 (0, 3) []\n" + name + " f32 <f4 (2, 3) [0.5, -1.0, 2.0, 3.0, 4.0, 5.25]\n" + name +
        " i64 <i8 (2,) [-4611686018427387904, 7]\n" + name + " scalar <f4 () [-0.125]\n";
  }
  CHECK(Folder::read(folder / "out") == expected);
}

namespace {

/// An archive that is made by hand, so that its parts can be wrong.
struct Archive {
  struct Member {
    std::string name, bytes;
    std::uint16_t method = 0, flags = 0;
    std::uint32_t unpacked = 0, crc = 0;
    std::string extra{};
    std::uint32_t shift = 0;  // of where the directory says it is
    std::string local_name = name;
  };
  std::vector<Member> members;
  std::string before{}, comment{}, after{};

  static std::string number(std::uint64_t value, int bytes) {
    std::string text;
    for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 0xff);
    return text;
  }

  void add(const std::string& name, const std::string& bytes) {
    members.push_back(
        {.name = name,
         .bytes = bytes,
         .unpacked = static_cast<std::uint32_t>(bytes.size()),
         .crc = static_cast<std::uint32_t>(::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()))});
  }

  std::string text() const {
    std::string file = before, directory;
    for (const Member& m : members) {
      const std::string common = number(m.flags, 2) + number(m.method, 2) + number(0, 4) + number(m.crc, 4) +
                                 number(m.bytes.size(), 4) + number(m.unpacked, 4);
      directory += number(0x02014b50, 4) + number(20, 2) + number(20, 2) + common + number(m.name.size(), 2) +
                   number(m.extra.size(), 2) + std::string(10, '\0') + number(file.size() + m.shift, 4) + m.name +
                   m.extra;
      file += number(0x04034b50, 4) + number(20, 2) + common + number(m.local_name.size(), 2) + number(0, 2) +
              m.local_name + m.bytes;
    }
    const std::string end = number(0x06054b50, 4) + number(0, 4) + number(members.size(), 2) +
                            number(members.size(), 2) + number(directory.size(), 4) + number(file.size(), 4) +
                            number(comment.size(), 2) + comment;
    return file + directory + end + after;
  }
};

Archive archive() {
  Archive made;
  made.add("a.npy", npy(dictionary("'<f4'", "(4,)"), std::string(16, '\0')));
  made.add("b.npy", npy(dictionary("'|b1'", "(1,)"), "\1"));
  return made;
}

std::string npz_verdict(const Archive& made) {
  return error_of([&] { read_npz(made.text(), {.max_bytes = 1 << 20}); });
}

}  // namespace

TEST_CASE("npz: damaged archives") {
  const auto changed = [](auto change) {
    Archive made = archive();
    change(made);
    return npz_verdict(made);
  };
  CHECK(changed([](Archive&) {}) == "accepted");
  CHECK(changed([](Archive& a) { a.comment = "by hand"; }) == "accepted");
  CHECK(error_of([] { read_npz(""); }) == "zip: no directory at the end; this is no zip archive, or it is cut off");
  CHECK(error_of([] { read_npz(npy(dictionary("'<f4'", "(0,)"))); }) == "zip: this is a NumPy array (.npy)");
  CHECK(changed([](Archive& a) { a.after = "x"; }) ==
        "zip: no directory at the end; this is no zip archive, or it is cut off");
  CHECK(changed([](Archive& a) { a.members[0].method = 12; }) ==
        "zip: 'a.npy' is packed by method 12, expected 0 (stored) or 8 (deflate)");
  CHECK(changed([](Archive& a) { a.members[0].flags = 1; }) == "zip: 'a.npy' is encrypted");
  CHECK(changed([](Archive& a) { a.members[1].name = a.members[1].local_name = "a.npy"; }) ==
        "zip: 'a.npy' occurs twice");
  CHECK(changed([](Archive& a) { a.members[1].local_name = "c.npy"; }) ==
        "zip: the directory and the header of 'b.npy' differ");
  CHECK(changed([](Archive& a) { a.members[1].name = a.members[1].local_name = "\xff.npy"; }) ==
        "zip: the name '\xff.npy' is not UTF-8");
  CHECK(changed([](Archive& a) { a.members[1].shift = 1; }).starts_with("zip: 'b.npy' is not at "));
  CHECK(changed([](Archive& a) { a.members[1].shift = 1 << 20; }).ends_with(", past all members"));
  CHECK(changed([](Archive& a) { a.members[0].crc ^= 1; }).starts_with("'a': zip: has CRC-32 "));
  CHECK(changed([](Archive& a) { a.members[0].unpacked = 5; }).starts_with("zip: 'a.npy' would be 5 bytes out of "));
  CHECK(changed([](Archive& a) { a.members[0].name = a.members[0].local_name = "a.txt"; }) ==
        "npz: 'a.txt' is no array, expected names that end in .npy");
  CHECK(changed([](Archive& a) {
          a.members[0].name = a.members[0].local_name = "archive/data.pkl";
        }).starts_with("npz: this is what torch.save writes"));
  CHECK(changed([](Archive& a) {
          a.members[0].method = 8;
          a.members[0].unpacked = 1'000'000'000;
        }).starts_with("zip: 'a.npy' would be 1000000000 bytes out of "));
  CHECK(changed([](Archive& a) { a.members[0].method = 8; }) == "'a': zip: ends after 6 bytes, expected 84");
  CHECK(changed([](Archive& a) { a.members[0].extra = "\1"; }) == "zip: ends within the directory");
  // Two members that share their bytes: small files that would unpack to large ones.
  Archive twice = archive();
  twice.members[1].shift =
      static_cast<std::uint32_t>(-static_cast<std::int64_t>(30 + 5 + twice.members[0].bytes.size()));
  twice.members[1].name = "a.npy";
  CHECK(npz_verdict(twice).starts_with("zip: "));
  // An array within that says more than the archive.
  Archive lies;
  lies.add("a.npy", npy(dictionary("'<f4'", "(400000000,)"), std::string(16, '\0')));
  CHECK(npz_verdict(lies).starts_with("'a': npy: [400000000] of 4 bytes each need 1600000000 bytes"));
}

TEST_CASE("npz: 64-bit archives") {
  // As zip writes them for members past 4 GiB: the sizes stand in fields of their own.
  Archive made = archive();
  const std::string plain = made.text();
  const std::size_t directory = plain.find("PK\1\2");
  const std::string entries = plain.substr(directory, plain.size() - 22 - directory);
  const auto n = [](std::uint64_t value, int bytes) { return Archive::number(value, bytes); };
  const std::string end64 = n(0x06064b50, 4) + n(44, 8) + n(45, 2) + n(45, 2) + n(0, 8) + n(2, 8) + n(2, 8) +
                            n(entries.size(), 8) + n(directory, 8);
  const std::string locator = n(0x07064b50, 4) + n(0, 4) + n(directory + entries.size(), 8) + n(1, 4);
  const std::string end =
      n(0x06054b50, 4) + n(0, 4) + n(0xffff, 2) + n(0xffff, 2) + n(0xffffffff, 4) + n(0xffffffff, 4) + n(0, 2);
  CHECK(read_npz(plain.substr(0, directory) + entries + end64 + locator + end).size() == 2);
  std::string wrong = locator;
  wrong[8] ^= 1;
  CHECK(error_of([&] { read_npz(plain.substr(0, directory) + entries + end64 + wrong + end); }) ==
        "zip: the 64-bit end of the directory is not where it should be");
}

TEST_CASE("fuzz: npy") {
  std::vector<std::string> files;
  for (const auto& recorded : golden_data()["arrays"])
    files.push_back(from_base64(recorded["file"].get<std::string>()));
  temper_test::fuzz(files, 20'000, [](const std::string& bytes) { read_npy(bytes, {.max_bytes = 1 << 20}); });
}

TEST_CASE("fuzz: npz") {
  std::vector<std::string> files{archive().text()};
  for (const auto& file : golden_data()["archives"]["files"]) files.push_back(from_base64(file.get<std::string>()));
  temper_test::fuzz(files, 5'000, [](const std::string& bytes) { read_npz(bytes, {.max_bytes = 1 << 20}); });
}
