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
  CHECK(error("\n\n") == "t.csv: nothing but blank lines");
  CHECK(error(std::string_view("\xff\xfe"
                               "a\0,\0",
                               6)) == "t.csv:1: the text is UTF-16; save it as UTF-8");
  CHECK(error("a,b\r1,2\r") ==
        "t.csv:1: column 2: a carriage return without a line feed; save the file with lines that end as on Unix");
  CHECK(error("a,b\n1,2,3\n") == "t.csv:2: 3 fields, the first row has 2");
  CHECK(error("a,b\n1,x\"y\"\n") == "t.csv:2: column 2: a quote within a field that does not begin with one");
  CHECK(error("a,b\n\"1\"2,3\n") == "t.csv:2: column 1: '2' after the closing quote");
  CHECK(error("a,b\n1,\"2\n3\n4") == "t.csv:2: column 2: a quote without end");
  CHECK(error("a,b,a\n1,2,3\n") == "t.csv:1: column 'a' occurs twice");
  CHECK(error("a,b\n1,2\n3,\"4\"x\n") == "t.csv:3: column 2: 'x' after the closing quote");
  // A line end alone within quotes counts as a line.
  CHECK(error("a,b\n\"1\n\n\",2\n3\n") == "t.csv:5: 1 fields, the first row has 2");
}

TEST_CASE("csv: blank lines are left out, where a table has several columns") {
  for (const char* end : {"\n", "\r\n"}) {
    const std::string e = end;
    const auto table = parse(e + "a,b" + e + "1,2" + e + e + "3,4" + e + e);
    CHECK(table.header == Fields{"a", "b"});
    REQUIRE(table.rows.size() == 2);
    CHECK(table.rows[1].fields == Fields{"3", "4"});
    CHECK(table.rows[1].line == 5);
  }
  CHECK(parse("a\n1\n\n2\n").rows.size() == 3);
}

TEST_CASE("csv data set: every finite number, as other programs write it") {
  const Folder folder;
  const auto read = [&](const std::string& text) {
    return data::CsvDataset(folder.write("n.csv", "x,y\n" + text + ",0\n"), {.label = "y"}).features().item();
  };
  CHECK(read("+1.5") == 1.5);
  CHECK(read("1e-50") == 0.0);
  CHECK(read("-1e-400") == 0.0);
  CHECK(read("1e-40") == 1e-40f);
  CHECK(read("3.4028234e38") == 3.4028234e38f);
  CHECK(read("0." + std::string(500, '0') + "1") == 0.0);
  for (const char* wrong : {"+-1", "++1", "1e39", "1e400", "1e5000"}) CHECK_THROWS_AS(read(wrong), FileError);
}

TEST_CASE("csv data set: missing values become what the user says") {
  const Folder folder;
  const auto file = folder.write("m.csv", "a,b,y\n1,,0\nNA,2,1\n?, nan ,0\n");
  const data::CsvDataset table(file, {.label = "y", .missing = -1.0f});
  CHECK(std::ranges::equal(table.features().values<float>(), std::vector<float>{1, -1, -1, 2, -1, -1}));
  CHECK(error_of([&] { data::CsvDataset(file, {.label = "y"}); }) ==
        file.native() + ":2: column 'b': '' is not a finite number");
}

TEST_CASE("csv data set: numbers are classes only when they can be; else targets, when asked for") {
  const Folder folder;
  const auto prices = folder.write("p.csv", "x,y\n1,23.5\n2,19.1\n3,-23\n");
  const std::string remedy =
      "; set .regression for targets that are numbers, or .class_names for classes that look like numbers";
  CHECK(error_of([&] { data::CsvDataset(prices, {.label = "y"}); }) ==
        prices.native() + ":2: label '23.5' is a number, but none of a class" + remedy);
  const data::CsvDataset targets(prices, {.label = "y", .regression = true});
  CHECK(std::ranges::equal(targets.labels().values<float>(), std::vector<float>{23.5f, 19.1f, -23}));
  CHECK(std::get<1>(targets.get(1)).dtype() == Dtype::f32);
  CHECK(data::CsvDataset(prices, {.label = "y", .class_names = {"23.5", "19.1", "-23"}}).labels().dtype() ==
        Dtype::i64);
  const auto whole = folder.write("w.csv", "x,y\n1,250000\n2,0\n");
  CHECK(error_of([&] { data::CsvDataset(whole, {.label = "y"}); }) ==
        whole.native() + ":2: label '250000' would be a class of 250001 in 2 rows" + remedy);
  // pandas writes whole numbers of a column with gaps as 3.0.
  const data::CsvDataset written(folder.write("f.csv", "x,y\n1,3.0\n2,0.0\n"), {.label = "y"});
  CHECK(std::ranges::equal(written.labels().values<std::int64_t>(), std::vector<std::int64_t>{3, 0}));
  CHECK_THROWS_AS(data::CsvDataset(prices, {.label = "y", .class_names = {"a"}, .regression = true}), ValueError);
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
