#include <temper/data/wordnet.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <vector>

#include <temper/core/errors.hpp>

#include "tests/data/files.hpp"

using namespace temper;
using temper_test::Folder;

namespace {

const std::string licence = "  1 This software and database is being provided to you\n";
const std::string cat =
    "02121620 05 n 02 cat 0 true_cat 0 002 @ 02120997 n 0000 ~ 02121808 n 0000 | feline mammal; \"a | b\"  \n";
const std::string run = "01926311 38 v 01 run 0 001 @ 01835496 v 0000 01 + 02 00 | move fast  \n";

void write_small(const Folder& folder, const std::string& noun) {
  folder.write("data.noun", noun);
  folder.write("data.verb", licence + run);
  folder.write("data.adj", licence + "00001740 00 a 01 able 0 000 | (usually followed by `to') having skill  \n");
  folder.write("data.adv", licence + "00001740 02 r 01 barely 0 000 | only just  \n");
}

std::string error_of(const data::WordNetOptions& options) {
  try {
    const data::WordNet wordnet(data::Split::train, options);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("WordNet: all glosses, a tenth held out by the seed") {
  const data::WordNet train(data::Split::train), test(data::Split::test);
  CHECK(train.size() == 105894);
  CHECK(test.size() == 11765);
  CHECK(train.texts().size() == train.labels().size());
  std::array<int, 45> classes{};
  for (const std::int64_t label : train.labels()) ++classes[static_cast<std::size_t>(label)];
  for (const std::int64_t label : test.labels()) ++classes[static_cast<std::size_t>(label)];
  CHECK(classes[6] == 11587);  // noun.artifact
  CHECK(classes[44] == 60);    // adj.ppl
  CHECK(*std::ranges::min_element(classes) > 0);
  CHECK(data::WordNet::class_names[6] == "noun.artifact");
  for (const std::string& text : test.texts()) {
    REQUIRE(!text.empty());
    REQUIRE(!text.ends_with(' '));
  }
  const data::WordNet again(data::Split::test), other(data::Split::test, {.seed = 2});
  CHECK(again.texts() == test.texts());
  CHECK(other.texts() != test.texts());
  CHECK(other.size() == test.size());
}

TEST_CASE("WordNet: the second field and what stands after the bar") {
  const Folder folder;
  write_small(folder, licence + cat);
  const data::WordNet all(data::Split::train, {.path = folder.path(), .held_out = 0});
  CHECK(all.texts() == std::vector<std::string>{"feline mammal; \"a | b\"", "move fast",
                                                "(usually followed by `to') having skill", "only just"});
  CHECK(all.labels() == std::vector<std::int64_t>{5, 38, 0, 2});
  const data::WordNet half(data::Split::train, {.path = folder.path(), .held_out = 0.5});
  const data::WordNet rest(data::Split::test, {.path = folder.path(), .held_out = 0.5});
  std::set<std::string> both(half.texts().begin(), half.texts().end());
  both.insert(rest.texts().begin(), rest.texts().end());
  CHECK(half.size() == 2);
  CHECK(both.size() == 4);
}

TEST_CASE("WordNet: malformed files") {
  const auto error = [](const std::string& noun) {
    const Folder folder;
    write_small(folder, noun);
    const std::string text = error_of({.path = folder.path()}), name = (folder / "data.noun").native();
    return text.starts_with(name + ":") ? text.substr(name.size() + 1) : text;
  };
  CHECK(error(licence + cat) == "accepted");
  CHECK(error("") == " holds no glosses");
  CHECK(error(licence) == " holds no glosses");
  CHECK(error(licence + cat.substr(0, 60)) == "2: the last line has no end: the file is cut off");
  CHECK(error(licence + cat + "garbage\n") == "3: does not begin with 8 digits: 'garbage'");
  CHECK(error("\n" + cat) == "1: does not begin with 8 digits: ''");
  CHECK(error("0212162x" + cat.substr(8)).starts_with("1: does not begin with 8 digits: '0212162x 05 n"));
  CHECK(error("02121620 5 n 01 cat | x\n").starts_with("1: the second field is not a number of 2 digits: "));
  CHECK(error("02121620 45 n 01 cat | x\n").starts_with("1: the second field is not 00 to 44: "));
  CHECK(error("02121620 -1 n 01 cat | x\n").starts_with("1: the second field is not a number of 2 digits: "));
  CHECK(error("02121620 05 n 01 cat\n").starts_with("1: has no gloss: "));
  CHECK(error("02121620 05 n 01 cat |   \n").starts_with("1: has no gloss: "));
  CHECK(error("02121620 05\n").starts_with("1: does not begin with 8 digits: "));
  CHECK(error(licence + cat + "\x01\x02" + std::string(200, 'x') + "\n")
            .starts_with("3: does not begin with 8 digits: '\\x01\\x02xxx"));
}

TEST_CASE("WordNet: not found says where it looked and how to install it") {
  const Folder folder;
  const std::string error = error_of({.path = folder.path()});
  CHECK(error.starts_with("wordnet: not found. Install it with\n  apt-get install wordnet-base\n"));
  CHECK(error.find("\n  " + (folder / "data.noun").native()) != std::string::npos);
  CHECK(error_of({.held_out = 1.5}) == "held_out 1.5, expected a share from 0 to 1");
}
