#include <temper/data/text_dataset.hpp>

#include <doctest/doctest.h>
#include <stdlib.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/data/char_tokenizer.hpp>
#include <temper/data/king_james_bible.hpp>
#include <temper/data/loader.hpp>
#include <temper/data/text.hpp>

#include "tests/data/allocations.hpp"
#include "tests/data/files.hpp"

using namespace temper;
using temper_test::allocations;
using temper_test::error_of;
using temper_test::Folder;

namespace {

using Ids = std::vector<std::int64_t>;

Ids counting(std::int64_t count) {
  Ids ids(static_cast<std::size_t>(count));
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

Ids ids_of(const Tensor& tensor) {
  return {tensor.values<std::int64_t>().begin(), tensor.values<std::int64_t>().end()};
}

}  // namespace

TEST_CASE("text: pieces one after the other, from another place each epoch") {
  for (const std::int64_t count : {5, 6, 8, 9, 11, 12, 13, 40, 41, 42, 43}) {
    CAPTURE(count);
    const data::TextDataset text(counting(count), {.length = 4});
    std::map<std::int64_t, int> begins;
    for (std::int64_t number = 1; number <= 200; ++number) {
      Ids seen;
      for (std::int64_t i = 0; i < text.size(); ++i) {
        const auto [inputs, targets] = text.get(i, {.seed = 3, .number = number});
        REQUIRE(inputs.shape() == Shape{4});
        const Ids x = ids_of(inputs), y = ids_of(targets);
        for (std::size_t k = 0; k < 4; ++k) REQUIRE(y[k] == x[k] + 1);
        seen.insert(seen.end(), x.begin(), x.end());
      }
      ++begins[seen[0]];
      REQUIRE(seen.back() + 1 < count);
      for (std::size_t k = 1; k < seen.size(); ++k) REQUIRE(seen[k] == seen[k - 1] + 1);
    }
    CHECK(text.size() == std::max<std::int64_t>(1, (count - 4) / 4));
    CHECK(static_cast<std::int64_t>(begins.size()) == std::min<std::int64_t>(4, count - 4 * text.size()));
  }
}

TEST_CASE("text: the same through a loader with any number of workers, without allocation") {
  const data::TextDataset text(counting(1000), {.length = 8});
  std::vector<Ids> expected;
  for (const int workers : {0, 1, 3}) {
    data::Loader loader(text, {.batch_size = 7, .shuffle = true, .workers = workers, .seed = 2});
    std::vector<Ids> batches;
    for (int epoch = 0; epoch < 3; ++epoch) {
      for (const auto& [inputs, targets] : loader) batches.push_back(ids_of(inputs));
    }
    if (workers == 0) expected = batches;
    CHECK(batches == expected);
    const std::int64_t before = allocations();
    for (const auto& [inputs, targets] : loader) CHECK(inputs.size(1) == 8);
    CHECK(allocations() == before);
  }
}

TEST_CASE("text: every token is scored exactly once") {
  for (const std::int64_t count : {2, 3, 4, 5, 6, 9, 10, 11, 30, 31}) {
    for (const std::int64_t stride : {0, 1, 3, 4}) {
      for (const std::int64_t before : {-1, 77}) {
        CAPTURE(count);
        CAPTURE(stride);
        CAPTURE(before);
        const data::TextEvaluation text(counting(count), {.length = 4, .stride = stride, .before = before});
        Ids scored;
        data::Loader loader(text, {.batch_size = 3});
        for (const auto& [inputs, targets] : loader) {
          const Ids x = ids_of(inputs), y = ids_of(targets);
          for (std::size_t k = 0; k < y.size(); ++k) {
            if (y[k] == -100) continue;
            scored.push_back(y[k]);
            REQUIRE(x[k] == (y[k] == 0 ? 77 : y[k] - 1));
            // All that the stride allows to be seen before it is seen.
            const auto place = static_cast<std::int64_t>(k % 4);
            REQUIRE(place >= std::min<std::int64_t>(y[k] - (before < 0), stride == 0 ? 0 : 4 - stride));
          }
        }
        Ids expected = counting(count);
        if (before < 0) expected.erase(expected.begin());
        CHECK(scored == expected);
        CHECK(text.scored() == static_cast<std::int64_t>(expected.size()));
      }
    }
  }
}

TEST_CASE("text: arguments are checked") {
  CHECK_THROWS_WITH_AS(data::TextDataset(counting(4), {.length = 4}),
                       "text: 4 tokens, expected at least 5 for length 4", ValueError);
  CHECK_THROWS_WITH_AS(data::TextDataset(counting(4), {.length = 0}), "text: length 0, expected at least 1",
                       ValueError);
  CHECK_THROWS_WITH_AS(data::TextDataset(Ids{1, -2, 3}, {.length = 1}), "text: token -2, expected 0 or more",
                       ValueError);
  const data::TextDataset text(counting(9), {.length = 4});
  CHECK_THROWS_WITH_AS(text.get(1, {}), "text: example 1 of 1", ValueError);
  CHECK_THROWS_WITH_AS(data::TextEvaluation(counting(9), {.length = 4, .stride = 5}),
                       "text: stride 5, expected 0 to the length 4", ValueError);
  CHECK_THROWS_WITH_AS(data::TextEvaluation(counting(1)), "text: 1 tokens, none to score", ValueError);
  CHECK_THROWS_AS(data::TextEvaluation(Ids{}, {.before = 1}), ValueError);
  CHECK(data::TextEvaluation(counting(1), {.before = 1}).scored() == 1);
}

TEST_CASE("text: split before a line") {
  const auto [train, test] = data::split_text("0123456\n89\nabc\n", 0.5);
  CHECK(train == "0123456\n");
  CHECK(test == "89\nabc\n");
  CHECK(data::split_text("0123456\n89\n", 0.4).train == "0123456\n");
  CHECK(data::split_text("0123456\n89\n", 0.2).test.empty());
  CHECK(data::split_text("abc", 0.5).train == "abc");
  CHECK(data::split_text("abc", 1.0).test == "abc");
  CHECK(data::split_text("abc", 0.0).train == "abc");
  CHECK(data::split_text("", 0.5).train.empty());
  CHECK_THROWS_AS(data::split_text("abc", -0.1), ValueError);
}

TEST_CASE("text: lines") {
  CHECK(data::lines("a\n\nb c\r\n\r\nd") == std::vector<std::string>{"a", "b c", "d"});
  CHECK(data::lines("").empty());
}

TEST_CASE("King James Bible: every book in order, its last tenth held out") {
  const data::KingJamesBible bible;
  REQUIRE(bible.books().size() == 66);
  CHECK(bible.books().front().name == "Ge");
  CHECK(bible.books().back().name == "Rev");
  CHECK(bible.books()[8].name == "1Sm");
  CHECK(
      bible.books().front().train.starts_with("In the beginning God created the heaven and the earth.\nAnd the earth"));
  CHECK(bible.books().back().test.ends_with("\nThe grace of our Lord Jesus Christ be with you all. Amen.\n"));
  std::size_t lines = 0, characters = 0;
  for (const auto& book : bible.books()) {
    CAPTURE(book.name);
    CHECK(book.train.ends_with('\n'));
    CHECK(book.test.ends_with('\n'));
    const double share =
        static_cast<double>(book.test.size()) / static_cast<double>(book.train.size() + book.test.size());
    CHECK(share <= 0.1);
    CHECK(share > 0.0);
    if (book.train.size() > 100'000) CHECK(share > 0.095);
    lines += static_cast<std::size_t>(std::ranges::count(book.train + book.test, '\n'));
    characters += book.train.size() + book.test.size();
  }
  CHECK(lines == 31102);
  const std::string train = bible.text(data::Split::train), test = bible.text(data::Split::test);
  CHECK(train.size() + test.size() == characters);
  CHECK(data::CharTokenizer(train + test).encode(test).size() == test.size());  // ASCII
  CHECK(std::ranges::none_of(train + test, [](char c) { return c >= '0' && c <= '9'; }));
}

TEST_CASE("King James Bible: from a file; what is not the whole Bible is refused") {
  const Folder folder;
  const auto error = [&](const std::string& text) {
    const auto path = folder.write("bible.txt", text);
    const std::string message = error_of([&] { data::KingJamesBible{{.path = path}}; });
    return message.starts_with(path.native() + ":") ? message.substr(path.native().size()) : message;
  };
  CHECK(error("") == ": 0 books with 0 verses, expected 66 with 31102");
  CHECK(error("Ge1:1 In the\n1Sm1:2 And\n") == ": 2 books with 2 verses, expected 66 with 31102");
  for (const char* line :
       {"In the beginning", "Ge1:1", "Ge1:1 ", "Ge:1 In", "1:1 In", "Ge1:x In", "Ge1: In", ":", "", "<html> a:1 b"}) {
    CHECK(error(std::string("Ge1:1 In the\n") + line + "\n").starts_with(":2: expected a verse such as 'Ge1:1 In the"));
  }
  CHECK(error_of([] { data::KingJamesBible{{.path = "/nowhere/bible.txt"}}; }) ==
        "/nowhere/bible.txt: cannot open: No such file or directory");
}

TEST_CASE("King James Bible: not installed says how to install it") {
  const std::string path = ::getenv("PATH");
  const Folder folder;
  ::setenv("PATH", folder.path().c_str(), 1);
  CHECK(error_of([] { data::KingJamesBible(); }) ==
        "king james bible: there is no program `bible`. Install it with\n  apt-get install bible-kjv bible-kjv-text\n"
        "or say which file holds what it prints");
  std::filesystem::permissions(folder.write("bible", "#!/bin/sh\nexit 3\n"), std::filesystem::perms::owner_all);
  CHECK(error_of([] {
          data::KingJamesBible();
        }).starts_with("king james bible: the program `bible` ended with status 3 and 0"));
  ::setenv("PATH", path.c_str(), 1);
}

TEST_CASE("text files, plain and compressed") {
  const Folder folder;
  CHECK(data::read_text(folder.write("a.txt", "caf\xc3\xa9\n")) == "caf\xc3\xa9\n");
  CHECK(data::read_text(folder.write("empty.txt", "")).empty());
  CHECK(data::read_text(folder.write("mark.txt",
                                     "\xef\xbb\xbf"
                                     "ab\n")) == "ab\n");
  CHECK(error_of([&] {
          data::read_text(folder.write("wide.txt", std::string("\xff\xfe"
                                                               "a\0",
                                                               4)));
        }) == (folder / "wide.txt").native() + ": the text is UTF-16; save it as UTF-8");
  CHECK(error_of([&] { data::read_text(folder / "none.txt"); }) ==
        (folder / "none.txt").native() + ": cannot open: No such file or directory");
  CHECK(error_of([&] { data::read_text(folder.path()); }) ==
        folder.path().native() + ": expected a file, this is a folder");
  CHECK(error_of([&] { data::read_text(folder / "a.txt", 3); }).find("has 6 bytes, the limit is 3") !=
        std::string::npos);
  CHECK(error_of([&] { data::read_text(folder.write("a.gz", "text")); }).find("gzip: not a gzip file") !=
        std::string::npos);
}
