#include <temper/io/token_file.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/data/loader.hpp>
#include <temper/data/text_dataset.hpp>
#include <temper/io/numpy.hpp>

#include "tests/data/files.hpp"

using namespace temper;
using temper_test::error_of;
using temper_test::Folder;

namespace {

using Ids = std::vector<std::int64_t>;

Ids some(std::int64_t count, std::int64_t vocab = 60'000) {
  Ids ids(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int64_t>(i * 7919) % vocab;
  return ids;
}

Ids all_of(const data::TokenFile& file) {
  Ids ids(static_cast<std::size_t>(file.size()));
  file.copy(0, ids);
  return ids;
}

std::filesystem::path written(const Folder& folder, const Ids& ids, std::int64_t vocab = 65'536) {
  TokenFileWriter writer(folder / "t.npy", {.vocab_size = vocab});
  for (std::size_t i = 0; i < ids.size(); i += 1000)
    writer.write(std::span(ids).subspan(i, std::min<std::size_t>(1000, ids.size() - i)));
  CHECK(writer.size() == std::ssize(ids));
  writer.commit();
  return folder / "t.npy";
}

Ids ids_of(const Tensor& tensor) {
  return {tensor.values<std::int64_t>().begin(), tensor.values<std::int64_t>().end()};
}

template <class D>
std::vector<Ids> epochs_of(const D& dataset, const data::LoaderOptions& options, int epochs) {
  data::Loader loader(dataset, options);
  std::vector<Ids> batches;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    for (const auto& [inputs, targets] : loader) {
      batches.push_back(ids_of(inputs));
      batches.push_back(ids_of(targets));
    }
  }
  return batches;
}

}  // namespace

TEST_CASE("token files: two bytes a token or four, as NumPy reads them") {
  const Folder folder;
  for (const std::int64_t vocab : {60'000, 70'000}) {
    const Ids ids = some(700'001, vocab);
    const auto path = written(folder, ids, vocab);
    CHECK(std::filesystem::file_size(path) == 128 + ids.size() * (vocab > 65'536 ? 4 : 2));
    const data::TokenFile file(path);
    CHECK(file.size() == 700'001);
    CHECK(all_of(file) == ids);
    CHECK(ids_of(load_npy(path)) == ids);
    Ids middle(3);
    file.copy(1234, middle);
    CHECK(middle == Ids(ids.begin() + 1234, ids.begin() + 1237));
  }
  CHECK(data::TokenFile(written(folder, {})).size() == 0);
  save_npy(folder / "wide.npy", indices({3, 1ll << 40}));
  CHECK(all_of(data::TokenFile(folder / "wide.npy")) == Ids{3, 1ll << 40});
  const auto plain = folder.write("train.bin", std::string("\1\0\2\0\xff\xff", 6));
  CHECK(all_of(data::TokenFile(plain, {.headerless = 2})) == Ids{1, 2, 65'535});
}

TEST_CASE("token files: TextDataset and TextEvaluation make the same examples of them as of tokens in memory") {
  const Folder folder;
  const Ids ids = some(1003);
  const data::TokenFile file(written(folder, ids));
  const data::LoaderOptions options{.batch_size = 3, .shuffle = true, .workers = 2, .seed = 4};
  CHECK(epochs_of(data::TextDataset(file, {.length = 16}), options, 3) ==
        epochs_of(data::TextDataset(ids, {.length = 16}), options, 3));
  for (const std::int64_t before : {-1, 7}) {
    for (const std::int64_t stride : {0, 5}) {
      const data::TextEvaluationOptions evaluation{.length = 16, .stride = stride, .before = before};
      const data::TextEvaluation of_file(file, evaluation), of_memory(ids, evaluation);
      CHECK(of_file.scored() == of_memory.scored());
      CHECK(epochs_of(of_file, {.batch_size = 4}, 1) == epochs_of(of_memory, {.batch_size = 4}, 1));
    }
  }
}

TEST_CASE("token files: a text larger than what is read of it") {
  const Folder folder;
  // A gigabyte that takes no place on the disk.
  const auto path = written(folder, Ids(500, 1));
  std::filesystem::path sparse = folder / "sparse.bin";
  std::filesystem::copy_file(path, sparse);
  std::filesystem::resize_file(sparse, std::uint64_t{1} << 30);
  const data::TextDataset text(data::TokenFile(sparse, {.headerless = 4}), {.length = 1024});
  CHECK(text.size() == (1 << 28) / 1024 - 1);
  data::Loader loader(text, {.batch_size = 4});
  loader.restore({.epoch = 3, .batch = loader.batches() - 1, .seed = 1});
  for (const auto& [inputs, targets] : loader) CHECK(inputs.values<std::int64_t>()[0] == 0);
}

TEST_CASE("token files: what is refused") {
  const Folder folder;
  const auto error = [&](const std::filesystem::path& path, const data::TokenFileOptions& options = {}) {
    const std::string message = error_of([&] { data::TokenFile(path, options); });
    return message.starts_with(path.native()) ? message.substr(path.native().size()) : message;
  };
  save_npy(folder / "f.npy", zeros({3}));
  CHECK(error(folder / "f.npy") == ": an array [3] of 'f4', expected one axis of little-endian integers");
  save_npy(folder / "m.npy", arange(4).view({2, 2}));
  CHECK(error(folder / "m.npy") == ": an array [2, 2] of 'i8', expected one axis of little-endian integers");
  const std::string good = Folder::read(written(folder, some(10)));
  CHECK(error(folder.write("short.npy", good.substr(0, good.size() - 1))) ==
        ": [10] of 2 bytes each need 20 bytes, there are 19");
  CHECK(error(folder.write("long.npy", good + "x")) == ": [10] of 2 bytes each need 20 bytes, there are 21");
  CHECK(error(folder.write("cut.npy", good.substr(0, 30))) == ": npy: ended after 30 bytes, within the header");
  CHECK(error(folder.write("empty.npy", "")) == ": npy: ended after 0 bytes, within the header");
  CHECK(error(folder.write("odd.bin", "abc"), {.headerless = 2}) == ": 3 bytes are no whole number of tokens of 2");
  CHECK(error(folder / "t.npy", {.headerless = 3}) == "TokenFile: tokens of 3 bytes without header, expected 2 or 4");
  CHECK(error(folder / "absent") == ": cannot open: No such file or directory");

  const data::TokenFile file(folder / "t.npy");
  Ids out(3);
  CHECK_THROWS_WITH_AS(file.copy(8, out), ((folder / "t.npy").native() + ": tokens 8 to 11 of 10").c_str(), ValueError);
  CHECK_THROWS_AS(file.copy(-1, out), ValueError);
  std::filesystem::resize_file(folder / "t.npy", 64);
  CHECK(error_of([&] { file.copy(0, out); }) ==
        (folder / "t.npy").native() + ": was truncated while in use: 64 bytes, it had 148");
  save_npy(folder / "negative.npy", indices({0, -5}));
  CHECK(error_of([&] { data::TokenFile(folder / "negative.npy").copy(1, std::span(out).first(1)); }) ==
        (folder / "negative.npy").native() + ": token 1 is -5, expected 0 or more");
}

TEST_CASE("token files: written whole or not at all") {
  const Folder folder;
  {
    TokenFileWriter writer(folder / "w.npy", {.vocab_size = 10});
    writer.write(Ids{1, 2});
    CHECK_THROWS_WITH_AS(writer.write(Ids{3, 10}), "TokenFileWriter: token 3 is 10, expected 0 to 9", ValueError);
    CHECK_THROWS_AS(writer.write(Ids{-1}), ValueError);
    CHECK(writer.size() == 2);
    CHECK(!std::filesystem::exists(folder / "w.npy"));
  }
  CHECK(std::filesystem::is_empty(folder.path()));
  TokenFileWriter writer(folder / "w.npy", {.vocab_size = 10});
  writer.write(Ids{1, 2});
  writer.commit();
  CHECK(all_of(data::TokenFile(folder / "w.npy")) == Ids{1, 2});
  CHECK_THROWS_WITH_AS(writer.commit(), "TokenFileWriter: the file was committed already", ValueError);
  CHECK_THROWS_AS(writer.write(Ids{1}), ValueError);
  CHECK_THROWS_WITH_AS(TokenFileWriter(folder / "x.npy", {.vocab_size = 0}),
                       "TokenFileWriter: vocab_size 0, expected 1 to 2^32", ValueError);
  CHECK(!std::filesystem::exists(folder / "x.npy"));
}
