#include "tests/data/fuzz.hpp"

#include <zlib.h>

#include <array>
#include <span>

#include <temper/data/char_tokenizer.hpp>
#include <temper/data/csv.hpp>
#include <temper/data/idx.hpp>
#include <temper/data/image_file.hpp>
#include <temper/data/sentencepiece.hpp>
#include <temper/data/squad.hpp>
#include <temper/data/subword_tokenizer.hpp>
#include <temper/data/wordnet.hpp>

#include "tests/data/files.hpp"
#include "tests/data/pictures.hpp"

using namespace temper;
using namespace temper_test;

namespace {

std::span<const std::byte> view(const std::string& bytes) { return std::as_bytes(std::span(bytes)); }

std::string gzipped(const std::string& data, int level = 9) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, level, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, data.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::vector<std::string> idx_files() {
  const std::string plain{
      "\0\0\x08\x02\0\0\0\x02\0\0\0\x03"
      "abcdef",
      18};
  const std::string cube{
      "\0\0\x0b\x03\0\0\0\x02\0\0\0\x01\0\0\0\x02"
      "abcdefgh",
      24};
  const std::string doubles = std::string("\0\0\x0e\x01\0\0\0\x04", 8) + std::string(32, 'd');
  return {plain, cube, doubles};
}

// Small memory: what is announced must not be allocated.
constexpr data::IdxOptions small{.max_bytes = 1 << 16};

}  // namespace

TEST_CASE("fuzz: idx") {
  fuzz(idx_files(), 20'000, [](const std::string& file) { data::parse_idx(view(file), "f", small).tensor(); });
}

TEST_CASE("fuzz: gzip") {
  std::vector<std::string> files;
  for (const std::string& file : idx_files()) {
    files.push_back(gzipped(file));
    files.push_back(gzipped(file, 0));
  }
  fuzz(files, 20'000, [](const std::string& file) { data::parse_idx(view(file), "f.gz", small); });
}

TEST_CASE("fuzz: csv") {
  fuzz({"a,b,label\n1,2,x\n3.5,-4e3,y\n", "\"a\",\"b \"\"c\"\"\"\r\n\"1\n2\",\r\n", "\xef\xbb\xbfx\n1\n"}, 20'000,
       [](const std::string& file) { data::parse_csv(file, "f"); });
}

TEST_CASE("fuzz: png") {
  fuzz({png_file(smooth(5, 7, 3), 5, 7, 3), png_file(smooth(9, 3, 1), 9, 3, 1), png_file(smooth(4, 4, 4), 4, 4, 4)},
       3'000, [](const std::string& file) { data::parse_image(view(file), "f", {.max_pixels = 1 << 16}); });
}

TEST_CASE("fuzz: jpeg") {
  fuzz({jpeg_file(smooth(16, 24, 3), 16, 24, 3), jpeg_file(smooth(9, 9, 1), 9, 9, 1, 50)}, 3'000,
       [](const std::string& file) { data::parse_image(view(file), "f", {.max_pixels = 1 << 16}); });
}

TEST_CASE("fuzz: squad") {
  fuzz({R"({"data":[{"paragraphs":[{"context":"café in Rome","qas":[{"id":"1","question":"where?",)"
        R"("answers":[{"text":"Rome","answer_start":8}]},{"id":"2","question":"who?","answers":[]}]}]}]})"},
       10'000, [](const std::string& file) { data::parse_squad(file, "f"); });
}

TEST_CASE("fuzz: characters") {
  fuzz({data::CharTokenizer("hello wörld ☃").serialized()}, 10'000,
       [](const std::string& file) { data::CharTokenizer::parse(file, "f").encode(""); });
}

TEST_CASE("fuzz: wordnet") {
  const Folder folder;
  const std::string line = "02121620 05 n 02 cat 0 true_cat 0 002 @ 02120997 n 0000 | feline mammal; \"a | b\"  \n";
  for (const char* name : {"data.verb", "data.adj", "data.adv"}) folder.write(name, line);
  fuzz({"  1 This software\n" + line + line}, 200, [&](const std::string& file) {
    folder.write("data.noun", file);
    data::WordNet(data::Split::train, {.path = folder.path()});
  });
}

TEST_CASE("fuzz: sentencepiece") {
  const std::vector<std::string> texts{"the farmer carries the bread", "a baker paints the painted boat",
                                       "the old rope"};
  const std::string model = data::SentencePiece::train(texts, {.vocab_size = 24}).serialized();
  fuzz({model}, 300, [](const std::string& file) { data::SentencePiece::parse(file, "f").encode("the baker"); });
}

TEST_CASE("fuzz: subwords") {
  std::vector<std::string> files;
  for (const char* name : {"bert", "gpt2", "llama2", "t5"}) {
    files.push_back(Folder::read(std::string(TEMPER_TEST_DIR "/fuzz/corpus/tokenizer/") + name));
  }
  fuzz(files, 3'000, [](const std::string& file) {
    const auto tokenizer = data::SubwordTokenizer::parse(file, "f");
    tokenizer.decode_all(tokenizer("The cafés, <s> \xff", "ab").ids);
  });
}

TEST_CASE("fuzz: vocabulary") {
  fuzz({"[PAD]\n[UNK]\n[CLS]\n[SEP]\nun\n##able\n"}, 3'000,
       [](const std::string& file) { data::SubwordTokenizer::parse_vocabulary(file, "f").encode("unable caf\xff"); });
}
