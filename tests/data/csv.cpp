#include <temper/data/csv.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/data/loader.hpp>

#include "tests/data/files.hpp"

using namespace temper;
using temper_test::error_of;
using temper_test::Folder;

namespace {

using Fields = std::vector<std::string>;

data::CsvTable parse(std::string_view text, const data::CsvTableOptions& options = {}) {
  return data::parse_csv(text, "t.csv", options);
}

}  // namespace

TEST_CASE("csv: plain and quoted fields, either line end") {
  for (const char* end : {"\n", "\r\n"}) {
    const std::string e = end;
    const auto table = parse("a,\"b \"\"c\"\"\"," + e + "1,\"x,y\"," + e + "\"two" + e + "lines\",,\"\"" + e + "3,4,5");
    CHECK(table.header == Fields{"a", "b \"c\"", ""});
    REQUIRE(table.rows.size() == 3);
    CHECK(table.rows[0].fields == Fields{"1", "x,y", ""});
    CHECK(table.rows[1].fields == Fields{"two" + e + "lines", "", ""});
    CHECK(table.rows[1].line == 3);
    CHECK(table.rows[2].fields == Fields{"3", "4", "5"});
    CHECK(table.rows[2].line == 5);
  }
  CHECK(parse("\xef\xbb\xbfx;y\n1;2\n", {.delimiter = ';'}).header == Fields{"x", "y"});
  CHECK(parse("1,2\n", {.header = false}).rows.size() == 1);
  CHECK(parse("a\n").rows.empty());
}

TEST_CASE("csv: malformed files") {
  const auto error = [](std::string_view text) { return error_of([&] { parse(text); }); };
  CHECK(error("") == "t.csv: the file is empty");
  CHECK(error("a,b\n1\n") == "t.csv:2: 1 fields, the first row has 2");
  CHECK(error("a,b\n1,2\n\n") == "t.csv:3: 1 fields, the first row has 2");
  CHECK(error("a,b\n1,2,3\n") == "t.csv:2: 3 fields, the first row has 2");
  CHECK(error("a,b\n1,x\"y\"\n") == "t.csv:2: column 2: a quote within a field that does not begin with one");
  CHECK(error("a,b\n\"1\"2,3\n") == "t.csv:2: column 1: '2' after the closing quote");
  CHECK(error("a,b\n1,\"2\n3\n4") == "t.csv:2: column 2: a quote without end");
  CHECK(error("a,b,a\n1,2,3\n") == "t.csv:1: column 'a' occurs twice");
  CHECK(error("a,b\n1,2\n3,\"4\"x\n") == "t.csv:3: column 2: 'x' after the closing quote");
  // A line end alone within quotes counts as a line.
  CHECK(error("a,b\n\"1\n\n\",2\n3\n") == "t.csv:5: 1 fields, the first row has 2");
}

TEST_CASE("csv data set: numbers and a label") {
  const Folder folder;
  const auto file = folder.write("a.csv", "width,kind,height\n1.5,rose, -2e1 \n0,fern,3\n7,rose,8\n");
  const data::CsvDataset plants(file, {.label = "kind"});
  CHECK(plants.columns() == Fields{"width", "height"});
  CHECK(plants.class_names() == Fields{"fern", "rose"});
  CHECK(plants.features().shape() == Shape{3, 2});
  const auto [features, label] = plants.get(0);
  CHECK(std::ranges::equal(features.values<float>(), std::vector<float>{1.5f, -20.0f}));
  CHECK(label.item() == 1);
  data::Loader loader(plants, {.batch_size = 3});
  for (const auto& [batch, labels] : loader) {
    CHECK(std::ranges::equal(batch.values<float>(), std::vector<float>{1.5f, -20, 0, 3, 7, 8}));
    CHECK(std::ranges::equal(labels.values<std::int64_t>(), std::vector<std::int64_t>{1, 0, 1}));
  }
  const data::CsvDataset other(file, {.label = "kind", .columns = {"height"}, .class_names = {"rose", "oak", "fern"}});
  CHECK(std::ranges::equal(other.labels().values<std::int64_t>(), std::vector<std::int64_t>{0, 2, 0}));
  CHECK(other.features().shape() == Shape{3, 1});
  const data::CsvDataset numbered(folder.write("b.csv", "5,0.5\n0,1\n"), {.label = "0", .header = false});
  CHECK(numbered.class_names().empty());
  CHECK(std::ranges::equal(numbered.labels().values<std::int64_t>(), std::vector<std::int64_t>{5, 0}));
}

TEST_CASE("csv data set: what does not fit, with its place") {
  const Folder folder;
  const auto error = [&](const std::string& text, const data::CsvOptions& options = {.label = "y"}) {
    const auto path = folder.write("a.csv", text);
    const std::string message = error_of([&] { data::CsvDataset(path, options); });
    return message.starts_with(path.native()) ? message.substr(path.native().size()) : message;
  };
  CHECK(error("x,y\n1,0\n") == "accepted");
  CHECK(error("x,y\n") == ": no rows");
  CHECK(error("x,z\n1,0\n") == ": no column 'y'; there are: x, z");
  CHECK(error("x,y\n1,0\nabc,0\n") == ":3: column 'x': 'abc' is not a finite number");
  for (const char* wrong : {"", "1e999", "nan", "inf", "1,5", "0x10", "1 2"}) {
    CHECK(error("x;y\n1;0\n" + std::string(wrong) + ";0\n", {.label = "y", .delimiter = ';'}) ==
          ":3: column 'x': '" + std::string(wrong) + "' is not a finite number");
  }
  CHECK(error("x,y\n1,a\n2,b\n", {.label = "y", .class_names = {"a"}}) == ":3: label 'b' is none of the 1 classes");
  CHECK(error("x,y\n1,0\n", {.label = "y", .columns = {"q"}}) == ": no column 'q'; there are: x, y");
  // One negative number makes names of all.
  CHECK(data::CsvDataset(folder.write("b.csv", "x,y\n1,0\n2,-1\n"), {.label = "y"}).class_names() == Fields{"-1", "0"});
}
