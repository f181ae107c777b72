#include <temper/data/tokenized.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/data/char_tokenizer.hpp>
#include <temper/data/loader.hpp>
#include <temper/data/sentencepiece.hpp>
#include <temper/io/tokenizer.hpp>

#include "tests/data/allocations.hpp"
#include "tests/data/files.hpp"
#include "tests/data/threads.hpp"

using namespace temper;
using temper_test::allocations;
using temper_test::differences_between_threads;
using temper_test::error_of;
using temper_test::Folder;

namespace {

using Ids = std::vector<std::int64_t>;

/// Sentences of a small language, enough to choose pieces by.
std::vector<std::string> sentences() {
  const std::vector<std::string> who{"the farmer", "a Baker", "the old sailor", "every teacher", "a young doctor"};
  const std::vector<std::string> does{"carries", "remembers", "paints", "forgets", "is looking for"};
  const std::vector<std::string> what{"the bread", "a painted boat", "the lookout", "her remembered garden", "rope"};
  std::vector<std::string> texts;
  for (const auto& subject : who) {
    for (const auto& verb : does) {
      for (const auto& object : what) texts.push_back(subject + " " + verb + " " + object + ".");
    }
  }
  return texts;
}

const data::SentencePiece& pieces() {
  static const auto instance = data::SentencePiece::train(sentences(), {.vocab_size = 44});
  return instance;
}

}  // namespace

TEST_CASE("characters: a vocabulary in the order of code points, and back") {
  const data::CharTokenizer tokenizer("bad café\n");
  CHECK(tokenizer.vocab_size() == 8);
  CHECK(tokenizer.encode("\n abcdfé") == Ids{0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(tokenizer.decode(tokenizer.encode("fad é")) == "fad é");
}

TEST_CASE("characters: what the vocabulary cannot express") {
  const data::CharTokenizer tokenizer("abc");
  CHECK_THROWS_WITH_AS(tokenizer.encode("abd"),
                       "CharTokenizer: 'd' at byte 2 is not among the 3 characters of the vocabulary", ValueError);
  CHECK_THROWS_WITH_AS(tokenizer.encode("aé"),
                       "CharTokenizer: 'é' at byte 1 is not among the 3 characters of the vocabulary", ValueError);
  CHECK_THROWS_WITH_AS(tokenizer.decode(Ids{0, 3}), "CharTokenizer: id 3 of 3", ValueError);
  CHECK_THROWS_AS(tokenizer.decode(Ids{-1}), ValueError);
  CHECK_THROWS_WITH_AS(data::CharTokenizer(""), "CharTokenizer: a vocabulary of an empty text", ValueError);
}

TEST_CASE("characters: only UTF-8") {
  // Lone continuation, cut character, overlong, surrogate, beyond the last code point.
  for (const char* wrong : {"ab\x80", "ab\xc3", "ab\xc0\xaf", "ab\xe0\x9f\xbf", "ab\xed\xa0\x80", "ab\xf4\x90\x80\x80",
                            "ab\xf5\x80\x80\x80", "ab\xff", "ab\xe2\x82z"}) {
    CHECK_THROWS_WITH_AS(data::CharTokenizer{std::string_view(wrong)},
                         "CharTokenizer: byte 2 of the text is not UTF-8 (ByteTokenizer takes any)", ValueError);
  }
  CHECK(data::CharTokenizer("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\xf0\x90\x80\x80\xe0\xa0\x80").vocab_size() == 5);
}

TEST_CASE("bytes: any text") {
  const data::ByteTokenizer tokenizer;
  CHECK(tokenizer.encode("A\xff") == Ids{65, 255});
  CHECK(tokenizer.decode(Ids{0, 65, 255}) == std::string("\0A\xff", 3));
  CHECK_THROWS_WITH_AS(tokenizer.decode(Ids{256}), "ByteTokenizer: id 256, expected 0 to 255", ValueError);
}

TEST_CASE("characters: saved and loaded") {
  const Folder folder;
  const data::CharTokenizer tokenizer("The quick \"brown\" fox\n\ttö ☃");
  save(folder / "tokenizer.json", tokenizer);
  const auto loaded = data::CharTokenizer::load(folder / "tokenizer.json");
  CHECK(loaded.vocab_size() == tokenizer.vocab_size());
  CHECK(loaded.encode("ö ☃\t") == tokenizer.encode("ö ☃\t"));
}

TEST_CASE("characters: malformed files") {
  const auto error = [](std::string_view bytes) {
    return error_of([&] { data::CharTokenizer::parse(bytes, "v.json"); });
  };
  CHECK(error("") == "v.json: not JSON, expected a saved CharTokenizer");
  CHECK(error("{\"format\": \"temper.characters\", \"characters\": [\"a\"") ==
        "v.json: not JSON, expected a saved CharTokenizer");
  const char* other = "v.json: no \"format\": \"temper.characters\", expected a saved CharTokenizer";
  CHECK(error("[]") == other);
  CHECK(error("{\"format\": 3}") == other);
  CHECK(error("{\"format\": \"temper.bytes\"}") == other);
  const auto listed = [&](const std::string& list) {
    return error("{\"format\": \"temper.characters\", \"characters\": " + list + "}");
  };
  CHECK(listed("{}") == "v.json: no list of \"characters\"");
  CHECK(listed("[]") == "v.json: no list of \"characters\"");
  CHECK(listed("[\"a\", 1]") == "v.json: entry 1 of \"characters\" is not one character");
  CHECK(listed("[\"ab\"]") == "v.json: entry 0 of \"characters\" is not one character");
  CHECK(listed("[\"\"]") == "v.json: entry 0 of \"characters\" is not one character");
  CHECK(listed("[\"a\", \"é\", \"a\"]") == "v.json: entry 2 of \"characters\", 'a', occurs twice");
  CHECK(listed("[\"a\", \"é\"]") == "accepted");
  CHECK(error("{\"format\": " + std::string(100'000, '[')) == "v.json: JSON nested more than 32 deep, at byte 42");
}

TEST_CASE("sentencepiece: special tokens first, text round and back") {
  const data::SentencePiece& tokenizer = pieces();
  CHECK(tokenizer.vocab_size() == 44);
  CHECK(Ids{tokenizer.pad(), tokenizer.unk(), tokenizer.cls(), tokenizer.sep(), tokenizer.mask()} ==
        Ids{0, 1, 2, 3, 4});
  CHECK(tokenizer.piece(4) == "[MASK]");
  const std::string text = "the farmer carries the bread.";
  const Ids ids = tokenizer.encode(text);
  CHECK(ids.size() < text.size());
  CHECK(std::ranges::min(ids) > 4);
  CHECK(tokenizer.decode(ids) == text);
  CHECK(tokenizer.decode(tokenizer.encode("  the \n farmer ")) == "the farmer");
  // What stands for special tokens is text like any other.
  CHECK(std::ranges::count(tokenizer.encode("[MASK]"), tokenizer.mask()) == 0);
  CHECK(std::ranges::count(tokenizer.encode("the ☃"), tokenizer.unk()) == 1);
  CHECK_THROWS_WITH_AS(tokenizer.decode(Ids{44}), "SentencePiece: id 44 of 44", ValueError);
  CHECK_THROWS_AS(tokenizer.piece(-1), ValueError);
}

TEST_CASE("sentencepiece: tokens know the bytes they stand for") {
  const std::string text = "the farmer carries rope.";
  std::string rebuilt;
  Ids ids;
  for (const auto& token : pieces().tokens(text)) {
    CHECK(token.begin == rebuilt.size());
    rebuilt += text.substr(token.begin, token.end - token.begin);
    ids.push_back(token.id);
  }
  CHECK(rebuilt == text);
  CHECK(ids == pieces().encode(text));
}

TEST_CASE("sentencepiece: options") {
  const auto texts = sentences();
  const auto merged =
      data::SentencePiece::train(texts, {.vocab_size = 44, .model = data::SentencePieceOptions::Model::bpe});
  CHECK(merged.decode(merged.encode(texts[7])) == texts[7]);
  CHECK(merged.serialized() != pieces().serialized());
  const auto folded = data::SentencePiece::train(texts, {.vocab_size = 44, .lowercase = true});
  CHECK(folded.decode(folded.encode("a Baker")) == "a baker");
  CHECK(data::SentencePiece::train(texts, {.vocab_size = 44}).serialized() == pieces().serialized());
  CHECK(error_of([&] {
          data::SentencePiece::train(texts, {.vocab_size = 5000});
        }).starts_with("SentencePiece: Vocabulary size too high (5000)."));
  CHECK(error_of([&] {
          data::SentencePiece::train(texts, {.vocab_size = 7});
        }).starts_with("SentencePiece: Vocabulary size is smaller than required_chars. 7 vs "));
  CHECK(error_of([&] { data::SentencePiece::train(texts, {.vocab_size = 5}); }) ==
        "SentencePiece: vocab_size 5, expected 6 or more");
  CHECK(error_of([&] { data::SentencePiece::train({}); }) == "SentencePiece: no texts to train on");
  CHECK(error_of([&] { data::SentencePiece::train(texts, {.character_coverage = 0.0}); }) ==
        "SentencePiece: character_coverage 0, expected above 0 and at most 1");
  CHECK(error_of([&] { data::SentencePiece::train(std::vector<std::string>{"", ""}); }).starts_with("SentencePiece: "));
}

TEST_CASE("sentencepiece: saved and loaded, damaged files refused") {
  const Folder folder;
  save(folder / "tokenizer.model", pieces());
  const auto loaded = data::SentencePiece::load(folder / "tokenizer.model");
  CHECK(loaded.encode("every teacher paints") == pieces().encode("every teacher paints"));
  CHECK(loaded.serialized() == pieces().serialized());
  CHECK(error_of([] { data::SentencePiece::parse("garbage", "m.model"); }) ==
        "m.model: not a SentencePiece model: the bytes cannot be read as one");
  CHECK(
      error_of([] { data::SentencePiece::parse("", "m.model"); }).starts_with("m.model: not a SentencePiece model: "));
  // A model of one piece whose text begins with a zero byte, which the library's table of pieces refuses.
  const std::string zero(
      "\x0a\x0a\x0a\x01\0\x15\0\0\0\0\x18\1"
      "\x0a\x0e\x0a\x05<unk>\x15\0\0\0\0\x18\x02",
      28);
  CHECK(error_of([&] {
          data::SentencePiece::parse(zero, "m.model");
        }).starts_with("m.model: not a SentencePiece model: "));
  const std::string whole = pieces().serialized();
  CHECK(error_of([&] { data::SentencePiece::parse(whole.substr(0, whole.size() / 2), "m.model"); }) != "accepted");
}

TEST_CASE("sentencepiece: several threads at once") { CHECK(differences_between_threads(pieces(), sentences()) == 0); }

TEST_CASE("tokenized: [CLS] text [SEP], batches filled up with [PAD]") {
  const std::vector<std::string> texts{"rope", "the farmer carries the bread.", ""};
  const Ids labels{4, 0, 7};
  const data::Tokenized dataset(texts, labels, pieces(), {.max_length = 6, .pad_multiple = 4});
  CHECK(dataset.size() == 3);
  const auto [ids, label] = dataset.get(1);
  CHECK(ids.shape() == Shape{6});  // cut off
  Ids start = pieces().encode(texts[1]);
  start.resize(4);
  start.insert(start.begin(), pieces().cls());
  start.push_back(pieces().sep());
  CHECK(std::ranges::equal(ids.values<std::int64_t>(), start));
  CHECK(label.item() == 0);
  const auto [batch, of_batch] = dataset.batch(Ids{2, 1});
  CHECK(batch.shape() == Shape{2, 6});  // not 8: a model may have no position beyond max_length
  Ids expected{2, 3, 0, 0, 0, 0};
  expected.insert(expected.end(), start.begin(), start.end());
  CHECK(std::ranges::equal(batch.values<std::int64_t>(), expected));
  CHECK(std::ranges::equal(of_batch.values<std::int64_t>(), Ids{7, 0}));
  CHECK(dataset.batch(Ids{2})[0].shape() == Shape{1, 4});
  CHECK_THROWS_WITH_AS(dataset.get(3), "texts: text 3 of 3", ValueError);
  CHECK_THROWS_WITH_AS(data::Tokenized(texts, Ids{1}, pieces()), "texts: 3 texts and 1 labels", ShapeError);
  CHECK_THROWS_WITH_AS(data::Tokenized(texts, labels, data::ByteTokenizer()),
                       "texts: the tokenizer needs [PAD], [CLS] and [SEP]; they are -1, -1 and -1", ValueError);
  CHECK_THROWS_WITH_AS(data::Tokenized(texts, labels, pieces(), {.max_length = 2}),
                       "texts: max_length 2 and pad_multiple 8, expected at least 3 and 1", ValueError);
}

TEST_CASE("tokenized: through a loader, without allocation on the training thread") {
  const auto texts = sentences();
  const data::Tokenized dataset(texts, Ids(texts.size(), 1), pieces());
  for (const int workers : {0, 1}) {
    data::Loader loader(dataset, {.batch_size = 16, .shuffle = true, .workers = workers, .seed = 1});
    std::int64_t seen = 0;
    for (const auto& [ids, labels] : loader) seen += ids.size(0);
    const std::int64_t before = allocations();
    for (const auto& [ids, labels] : loader) seen += ids.size(0);
    CHECK(allocations() == before);
    CHECK(seen == 250);
  }
}
