#include <temper/data/subword_tokenizer.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/data/tokenized.hpp>
#include <temper/io/tokenizer.hpp>

#include "framework/data/subword/pattern_internal.hpp"
#include "framework/data/subword/unicode_internal.hpp"
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
namespace subword = data::subword;

/// The matches of an expression, between bars; what is between them in parentheses.
std::string cut(std::string_view expression, std::string_view text) {
  std::vector<subword::Match> matches;
  subword::Pattern(expression).find_all(text, matches);
  std::string shown = "|";
  for (const auto& [begin, end, found] : matches) {
    const std::string part(text.substr(begin, end - begin));
    shown += (found ? part : "(" + part + ")") + "|";
  }
  return shown;
}

constexpr const char* gpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr const char* llama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

/// A tokenizer.json of a model, with further parts.
std::string file(const std::string& model, const std::string& parts = "") {
  return "{" + parts + "\"model\": " + model + "}";
}
std::string word_level(const std::string& vocabulary) {
  return R"({"type": "WordLevel", "unk_token": "?", "vocab": )" + vocabulary + "}";
}
const std::string small = word_level(R"({"?": 0, "a": 1, "b": 2, "[CLS]": 3, "[SEP]": 4, "[PAD]": 5})");

std::string error_in(const std::string& bytes) {
  return error_of([&] { data::SubwordTokenizer::parse(bytes, "t.json"); });
}

std::vector<std::string> texts() {
  std::vector<std::string> all;
  for (int i = 0; i < 40; ++i) {
    for (const char* text : {"the farmer carries the bread.", "the baker's painted boat", "naïve café, 12 lookouts\n"})
      all.emplace_back(text);
  }
  return all;
}

const data::SubwordTokenizer& trained() {
  static const auto tokenizer =
      data::SubwordTokenizer::train(texts(), {.vocab_size = 300, .special_tokens = {"<s>", "</s>"}});
  return tokenizer;
}

}  // namespace

TEST_CASE("patterns: how GPT-2 and Llama 3 cut") {
  CHECK(cut(gpt2, "I'll don't  see 1234 cafés, ok?!  ") == "|I|'ll| don|'t| | see| 1234| cafés|,| ok|?!|  |");
  CHECK(cut(gpt2, "a\n\n  b") == "|a|\n\n | b|");
  CHECK(cut(llama3, "I'LL see 1234 (cafés),\n\n ok  ") == "|I|'LL| see| |123|4| (|cafés|),\n\n| ok|  |");
  CHECK(cut(llama3, "see'ſ 'S") == "|see|'ſ| '|S|");  // the long s folds to s
}

TEST_CASE("patterns: parts of expressions") {
  CHECK(cut("a+b", "aaab aab") == "|aaab|( )|aab|");
  CHECK(cut("(?:ab|a)c?", "abcaac") == "|abc|a|ac|");
  CHECK(cut("(?:a|ab)(?:c|bcd)", "abcd") == "|abcd|");  // takes the group's other way
  CHECK(cut("a*a", "aaa") == "|aaa|");
  CHECK(cut("a*+a", "aaa") == "|(aaa)|");  // possessive: gives nothing back
  CHECK(cut("(?:ab){2,3}", "abababab") == "|ababab|(ab)|");
  CHECK(cut("(?:ab)+(?=c)", "ababcab") == "|abab|(cab)|");
  CHECK(cut("[^\\s\\p{L}]+", "a12 3é") == "|(a)|12|( )|3|(é)|");
  CHECK(cut("[x[b-d]\\]-]+", "abcd]-x") == "|(a)|bcd]-x|");
  CHECK(cut("\\p{Lu}\\P{Lu}+", "aBcDe") == "|(a)|Bc|De|");
  CHECK(cut("\\S+",
            "a\x1f b\xc2\x85"
            "c\xe3\x80\x80") == "|a\x1f|( )|b|(\xc2\x85)|c|(\xe3\x80\x80)|");
  CHECK(cut("\\x{4e00}|\\u00e9|\\x41", "一éA.") == "|一|é|A|(.)|");
  CHECK(cut("..", "a😀b") == "|a😀|(b)|");
}

TEST_CASE("patterns: what they lack is refused by name") {
  const auto error = [](std::string_view expression) { return error_of([&] { subword::Pattern{expression}; }); };
  const std::string begin = "regular expression '";
  CHECK(error("a+?b") == begin + "a+?b': a lazy repetition is not supported");
  CHECK(error("^a") == begin + "^a': an anchor (^ or $) is not supported");
  CHECK(error("(?<=a)b") == begin + "(?<=a)b': this kind of group '(?<' is not supported");
  CHECK(error("(a)\\1") == begin + "(a)\\1': \\1 is not supported");
  CHECK(error("a\\b") == begin + "a\\b': \\b is not supported");
  CHECK(error("\\p{Han}+") == begin + "\\p{Han}+': \\p{Han} is not supported");
  CHECK(error("[a&&b]") == begin + "[a&&b]': an intersection of classes (&&) is not supported");
  CHECK(error("(?:a*)*") == begin + "(?:a*)*': repeating what may be empty is not supported");
  CHECK(error("(?i:É)") == begin + "(?i:É)': ignoring the case of letters outside ASCII is not supported");
  CHECK(error("a*") == begin + "a*': it matches the empty text");
  CHECK(error("") == begin + "': it matches the empty text");
  CHECK(error("(a") == begin + "(a': a ( without a )");
  CHECK(error("a)") == begin + "a)': a ) without a (");
  CHECK(error("[a") == begin + "[a': it ends too early");
  CHECK(error("a{3,2}") == begin + "a{3,2}': a wrong {...}");
  CHECK(error("(?:ab){9999}{9999}") == begin + "(?:ab){9999}{9999}': a repetition of a repetition is not supported");
  CHECK(error("(?:(?:ab){9999}c){9999}") == begin + "(?:(?:ab){9999}c){9999}': it is too long");
  CHECK(error(std::string(40, '(') + "a" + std::string(40, ')')).ends_with("its groups are nested too deep"));
}

TEST_CASE("patterns: a text that takes too many steps ends in an error") {
  std::vector<subword::Match> matches;
  const subword::Pattern slow("(?:a+a+a+a+a+a+b)");
  CHECK(error_of([&] { slow.find_all(std::string(300, 'a'), matches); }) ==
        "tokenizer: its regular expression takes too many steps on a text of 300 bytes");
}

TEST_CASE("unicode: bytes that are not UTF-8 become U+FFFD") {
  const std::string r = "\xef\xbf\xbd";
  CHECK(subword::repaired("aé😀") == "aé😀");
  CHECK(subword::repaired("a\xff"
                          "b\x80") == "a" + r + "b" + r);
  CHECK(subword::repaired("\xf0\x9f\x98z\xe2\x82") == r + "z" + r);  // one for the beginning of a character
  CHECK(subword::repaired("\xed\xa0\x80\xc0\xaf") == r + r + r + r + r);
  CHECK(subword::repaired("\xf4\x90\x80\x80") == r + r + r + r);
}

TEST_CASE("subword: trained, text round and back") {
  const data::SubwordTokenizer& tokenizer = trained();
  CHECK(tokenizer.vocab_size() == 300);
  CHECK(tokenizer.cls() == 0);
  CHECK(tokenizer.sep() == 1);
  CHECK(tokenizer.token(1) == "</s>");
  CHECK(tokenizer.id("Ġthe") > 255);
  CHECK(tokenizer.id("nothing") == -1);
  for (const std::string text : {"the farmer's boat\n", "  日本 \t😀 12", ""}) {
    const Ids ids = tokenizer.encode(text);
    CHECK(tokenizer.decode(ids) == text);
    CHECK(ids.size() <= text.size());
  }
  CHECK(tokenizer.encode(" the").size() == 1);
  CHECK(tokenizer.decode(tokenizer.encode("a\xff")) == "a\xef\xbf\xbd");
  const Ids marked = tokenizer.encode("a</s>b");
  CHECK(marked == Ids{tokenizer.id("a"), 1, tokenizer.id("b")});
  CHECK(tokenizer.decode(marked) == "ab");
  CHECK(tokenizer.decode_all(marked) == "a</s>b");
  CHECK(tokenizer("a").ids == tokenizer.encode("a"));  // training puts nothing around a text
  CHECK_THROWS_WITH_AS(tokenizer.decode(Ids{300}), "tokenizer: id 300 is not among the 300 of the vocabulary",
                       ValueError);
  CHECK_THROWS_AS(tokenizer.token(-1), ValueError);
}

TEST_CASE("subword: training is repeatable, and says what it cannot do") {
  const auto again = data::SubwordTokenizer::train(texts(), {.vocab_size = 300, .special_tokens = {"<s>", "</s>"}});
  CHECK(again.serialized() == trained().serialized());
  CHECK(data::SubwordTokenizer::train(texts(), {.vocab_size = 5000}).vocab_size() < 500);  // no pairs are left
  const auto error = [](const data::BpeOptions& options) {
    return error_of([&] { data::SubwordTokenizer::train(texts(), options); });
  };
  CHECK(error({.vocab_size = 256}) ==
        "SubwordTokenizer: vocab_size 256, expected 257 (256 bytes and 1 special tokens) to 16777216");
  CHECK(error({.min_frequency = 0}) == "SubwordTokenizer: min_frequency 0, expected 1 or more");
  CHECK(error({.special_tokens = {"x", "x"}}) ==
        "SubwordTokenizer: special token 'x' is empty, occurs twice, or is not UTF-8");
  CHECK(error_of([] { data::SubwordTokenizer::train({}); }) == "SubwordTokenizer: no texts to train on");
}

TEST_CASE("subword: saved and loaded") {
  const Folder folder;
  save(folder / "tokenizer.json", trained());
  const auto loaded = data::SubwordTokenizer::load(folder / "tokenizer.json");
  CHECK(loaded.serialized() == trained().serialized());
  CHECK(loaded.encode("the baker") == trained().encode("the baker"));
}

TEST_CASE("subword: vocab.txt of a BERT") {
  const std::string lines = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nun\n##aff\n##able\ncafe\n.\n##s\n";
  const auto tokenizer = data::SubwordTokenizer::parse_vocabulary(lines, "vocab.txt");
  CHECK(Ids{tokenizer.pad(), tokenizer.unk(), tokenizer.cls(), tokenizer.sep(), tokenizer.mask()} ==
        Ids{0, 1, 2, 3, 4});
  CHECK(tokenizer.encode("Unaffable CAFÉS. xyz [MASK]") == Ids{5, 6, 7, 8, 10, 9, 1, 4});
  CHECK(tokenizer.decode(Ids{5, 6, 7, 9}) == "unaffable.");
  const data::Encoding one = tokenizer("un"), two = tokenizer("un", "cafe.");
  CHECK(one.ids == Ids{2, 5, 3});
  CHECK(two.ids == Ids{2, 5, 3, 8, 9, 3});
  CHECK(two.types == Ids{0, 0, 0, 1, 1, 1});
  const auto cased = data::SubwordTokenizer::parse_vocabulary(lines, "vocab.txt", {.lowercase = false});
  CHECK(cased.encode("Un café cafe") == Ids{1, 1, 8});
  CHECK(error_of([&] { data::SubwordTokenizer::parse_vocabulary("[UNK]\n[CLS]\n", "v.txt"); }) ==
        "v.txt: no line [SEP] among 2 lines, expected a vocab.txt");
  CHECK(error_of([&] { data::SubwordTokenizer::parse_vocabulary("[UNK]\n\xff", "v.txt"); }) ==
        "v.txt: byte 6 is not UTF-8");
  // As a data set takes it.
  const data::Tokenized dataset(std::vector<std::string>{"un cafe"}, Ids{1}, tokenizer);
  CHECK(dataset.lengths() == Ids{4});
}

TEST_CASE("subword: WordPiece takes the longest token, BPE the pair that training found first") {
  const auto pieces = data::SubwordTokenizer::parse(
      file(R"({"type": "WordPiece", "unk_token": "?", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
              "vocab": {"?": 0, "u": 1, "un": 2, "unto": 3, "##t": 4, "##to": 5, "##told": 6, "##o": 7}})"),
      "t.json");
  CHECK(pieces.encode("unto") == Ids{3});
  CHECK(pieces.encode("untoto") == Ids{3, 5});
  CHECK(pieces.encode("untold") == Ids{0});  // takes "unto", and does not go back for "un" and "##told"
  const auto pairs = data::SubwordTokenizer::parse(
      file(R"({"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "bc": 3, "ab": 4}, "merges": ["b c", "a b"]})"), "t.json");
  CHECK(pairs.encode("abc") == Ids{0, 3});
  CHECK(pairs.encode("ababc") == Ids{4, 0, 3});
}

TEST_CASE("subword: parts that a file asks for and that are not there are named") {
  CHECK(error_in("") == "t.json: not JSON, expected a tokenizer.json");
  CHECK(error_in("{}") == "t.json: file has no \"model\"");
  CHECK(error_in(file(R"({"type": "Neural", "vocab": {}})")) ==
        "t.json: file.model: type \"Neural\" is not supported; expected one of BPE, Unigram, WordLevel, WordPiece");
  CHECK(error_in(
            file(small, R"("normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Rot13"}]},)"))
            .starts_with("t.json: file.normalizer.normalizers[1]: type \"Rot13\" is not supported; expected one of "));
  CHECK(error_in(file(small, R"("pre_tokenizer": {"type": "UnicodeScripts"},)"))
            .starts_with("t.json: file.pre_tokenizer: type \"UnicodeScripts\" is not supported; "));
  CHECK(error_in(file(small, R"("decoder": {"type": "Magic"},)"))
            .starts_with("t.json: file.decoder: type \"Magic\" is not supported; "));
  CHECK(error_in(file(small, R"("post_processor": {"type": "Magic"},)"))
            .starts_with("t.json: file.post_processor: type \"Magic\" is not supported; "));
  CHECK(error_in(file(small,
                      R"("pre_tokenizer": {"type": "Split", "pattern": {"Regex": "a$"}, "behavior": "Isolated"},)")) ==
        "t.json: file.pre_tokenizer.pattern: regular expression 'a$': an anchor (^ or $) is not supported");
  CHECK(error_in(file(R"({"type": "BPE", "dropout": 0.1, "vocab": {"a": 0}, "merges": []})")) ==
        "t.json: file.model.dropout: merges dropped at random are not supported; expected null");
}

TEST_CASE("subword: damaged files are refused before memory is reserved") {
  CHECK(error_in(file(word_level(R"({"a": 4000000000})"))) ==
        "t.json: file.model.vocab: 'a' has number 4000000000 among 1 tokens");
  CHECK(error_in(file(word_level(R"({"a": 1, "b": 1})"))) ==
        "t.json: file.model.vocab: 'a' and 'b' both have number 1");
  CHECK(error_in(file(word_level(R"({"a": -1})"))) == "t.json: file.model.vocab.a is no number from 0 on");
  CHECK(error_in(file(word_level("{}"))) == "t.json: file.model.vocab is empty");
  CHECK(error_in(file(small, R"("added_tokens": [{"id": 3000000000, "content": "x"}],)")) ==
        "t.json: file.added_tokens[0]: 'x' has number 3000000000 beside a vocabulary of 6");
  CHECK(error_in(file(small, R"("added_tokens": [{"id": 2, "content": "a"}],)")) ==
        "t.json: file.added_tokens[0]: 'a' has number 2, but 1 in the vocabulary");
  CHECK(error_in(std::string(1'000'000, '[')) == "t.json: JSON nested more than 32 deep, at byte 32");
  CHECK(error_in(std::string(32, '[') + std::string(32, ']')) == "t.json: file has no \"model\"");
  CHECK(error_in(file(word_level("{\"" + std::string(40, '[') + "\\\"[\": 0}"))) == "accepted");  // within a text
  CHECK(error_in(file(R"({"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": ["a b"]})")) ==
        "t.json: file.model.merges[0]: 'ab' is not in the vocabulary");
  CHECK(error_in(file(R"({"type": "BPE", "vocab": {"a": 0}, "merges": ["a"]})")) ==
        "t.json: file.model.merges[0]: 'a' is no pair");
  CHECK(error_in(file(R"({"type": "Unigram", "unk_id": 7, "vocab": [["a", -1.0]]})")) ==
        "t.json: file.model.unk_id is 7 of 1 tokens");
  CHECK(error_in(file(small, R"("normalizer": {"type": "Precompiled", "precompiled_charsmap": "/////w=="},)")) ==
        "t.json: file.normalizer.precompiled_charsmap: a table of 4294967295 bytes within 0");
  CHECK(error_in(file(small, R"("post_processor": {"type": "BertProcessing", "sep": ["x", 9], "cls": ["y", 1]},)")) ==
        "t.json: file.post_processor.sep[1] is 9 of 6");
  CHECK(error_in(file(small)) == "accepted");
}

TEST_CASE("subword: added tokens take the spaces beside them, or whole words only") {
  const auto tokenizer = data::SubwordTokenizer::parse(
      file(small, R"("added_tokens": [{"id": 6, "content": "<m>", "lstrip": true, "rstrip": true, "normalized": false},
                     {"id": 7, "content": "ab", "single_word": true, "normalized": false}],
                     "pre_tokenizer": {"type": "WhitespaceSplit"},)"),
      "t.json");
  CHECK(tokenizer.vocab_size() == 8);
  CHECK(tokenizer.encode("a  <m> b") == Ids{1, 6, 2});
  CHECK(tokenizer.encode("ab aab ab.") == Ids{7, 0, 7, 0});
  CHECK(tokenizer.decode(Ids{1, 6}) == "a <m>");
}

TEST_CASE("subword: several threads at once") { CHECK(differences_between_threads(trained(), texts()) == 0); }

TEST_CASE("subword: no allocation for each token") {
  const auto count = [](const std::string& text) {
    trained().encode(text);
    const std::int64_t before = allocations();
    trained().encode(text);
    return allocations() - before;
  };
  std::string text = "the farmer's lookout, 1234 pneumonoultramicroscopicsilicovolcanoconiosis ";
  const std::int64_t few = count(text);
  for (int i = 0; i < 6; ++i) text += text;
  CHECK(count(text) < few + 20);  // the choices of a pattern, which grow by doubling
}
