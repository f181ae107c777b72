#include <temper/io/csv.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/data/files.hpp"

using namespace temper;
using temper_test::error_of;
using temper_test::Folder;

TEST_CASE("CSV that is written is read back, whatever the fields hold") {
  const Folder folder;
  const data::CsvTable table{.header = {"name", "a,b"},
                             .rows = {{1, {"plain", "1.5"}},
                                      {2, {"two, words", "say \"yes\""}},
                                      {3, {" blanks ", "two\nlines\r\nthree"}},
                                      {5, {"", "é"}}}};
  save_csv(folder / "t.csv", table);
  CHECK(Folder::read(folder / "t.csv") ==
        "name,\"a,b\"\nplain,1.5\n\"two, words\",\"say \"\"yes\"\"\"\n\" blanks \",\"two\nlines\r\nthree\"\n,é\n");
  for (const char delimiter : {',', ';', '\t'}) {
    CAPTURE(delimiter);
    save_csv(folder / "t.csv", table, delimiter);
    const data::CsvTable again = data::read_csv(folder / "t.csv", {.delimiter = delimiter});
    CHECK(again.header == table.header);
    REQUIRE(again.rows.size() == table.rows.size());
    for (std::size_t i = 0; i < table.rows.size(); ++i) CHECK(again.rows[i].fields == table.rows[i].fields);
  }
  // A single empty field is no blank line, which readers leave out.
  save_csv(folder / "one.csv", {.header = {}, .rows = {{1, {"a"}}, {2, {""}}, {3, {"b"}}}});
  CHECK(Folder::read(folder / "one.csv") == "a\n\"\"\nb\n");
}

TEST_CASE("CSV with rows of several lengths is refused, and the file stays") {
  const Folder folder;
  const auto path = folder.write("t.csv", "old");
  CHECK(error_of([&] {
          save_csv(path, {.header = {"a", "b"}, .rows = {{1, {"1", "2"}}, {2, {"3"}}}});
        }) == "save_csv: row 1 has 1 fields, expected 2");
  CHECK(error_of([&] { save_csv(path, {}, '"'); }) ==
        "save_csv: the delimiter is a quote or a line's end, expected another character");
  CHECK(Folder::read(path) == "old");
  CHECK(error_of([&] { save_csv(folder / "t.csv/t.csv", {}); }).find("t.csv: expected a folder") != std::string::npos);
}
