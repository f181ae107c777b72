#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include <temper/models/import/tokenizer.hpp>
#include <temper/temper.hpp>

#include "tests/data/files.hpp"

using namespace temper;
using temper_test::error_of;

namespace {

constexpr const char* letters = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nA\n##b\n";
using Ids = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("a tokenizer in the folder of a model is read back as it was, with the names of its special tokens") {
  const temper_test::Folder folder;
  const auto bert = data::SubwordTokenizer::parse_vocabulary(letters, "vocab.txt");
  models::save_tokenizer(folder.path(), bert, {.longest = 64});
  CHECK(models::load_tokenizer(folder.path())("Ab b").ids == Ids{2, 5, 8, 6, 3});
  std::string config = temper_test::Folder::read(folder / "tokenizer_config.json");
  for (const char* line :
       {"\"pad_token\": \"[PAD]\"", "\"unk_token\": \"[UNK]\"", "\"cls_token\": \"[CLS]\"", "\"sep_token\": \"[SEP]\"",
        "\"mask_token\": \"[MASK]\"", "\"model_max_length\": 64", "\"token_type_ids\""}) {
    CAPTURE(line);
    CHECK(config.find(line) != config.npos);
  }
  CHECK(config.find("eos_token") == config.npos);

  const std::vector<std::string> texts = {"a text", "a text of words"};
  const auto bpe = data::SubwordTokenizer::train(texts, {.vocab_size = 260});
  models::save_tokenizer(folder.path(), bpe, {.end = 0});
  CHECK(models::load_tokenizer(folder.path())("a text").ids == bpe("a text").ids);
  config = temper_test::Folder::read(folder / "tokenizer_config.json");
  CHECK(config.find("\"eos_token\": \"<|endoftext|>\"") != config.npos);
  for (const char* part : {"pad_token", "cls_token", "model_max_length", "token_type_ids"}) {
    CAPTURE(part);
    CHECK(config.find(part) == config.npos);
  }
  const std::string before = temper_test::Folder::read(folder / "tokenizer.json");
  CHECK(error_of([&] { models::save_tokenizer(folder.path(), bert, {.end = 9}); }) ==
        "tokenizer: id 9 is not among the 9 of the vocabulary");
  CHECK(temper_test::Folder::read(folder / "tokenizer.json") == before);
}

TEST_CASE("a folder with a vocab.txt has a tokenizer, too, whose configuration says whether case counts") {
  const temper_test::Folder folder;
  CHECK(error_of([&] { models::load_tokenizer(folder.path()); }) ==
        folder.path().native() + ": has no tokenizer, neither tokenizer.json nor vocab.txt");
  folder.write("vocab.txt", letters);
  CHECK(models::load_tokenizer(folder.path())("A").ids == Ids{2, 5, 3});
  folder.write("tokenizer_config.json", "{}");
  CHECK(models::load_tokenizer(folder.path())("A").ids == Ids{2, 5, 3});
  folder.write("tokenizer_config.json", "{\"do_lower_case\": false}");
  CHECK(models::load_tokenizer(folder.path())("A").ids == Ids{2, 7, 3});
  folder.write("tokenizer_config.json", "{\"do_lower_case\": \"no\"}");
  CHECK(error_of([&] {
          models::load_tokenizer(folder.path());
        }).find("do_lower_case is \"no\", expected true or false") != std::string::npos);
  folder.write("tokenizer_config.json", "[]");
  CHECK(error_of([&] { models::load_tokenizer(folder.path()); }) ==
        (folder / "tokenizer_config.json").native() + ": not a JSON object");
  folder.write("tokenizer.json", "{");
  CHECK(error_of([&] { models::load_tokenizer(folder.path()); }) ==
        (folder / "tokenizer.json").native() + ": not JSON, expected a tokenizer.json");
}
