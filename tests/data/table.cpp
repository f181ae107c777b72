#include <temper/data/table.hpp>

#include <doctest/doctest.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/data/loader.hpp>
#include <temper/data/subset.hpp>
#include <temper/data/table_transform.hpp>
#include <temper/data/tensor_dataset.hpp>

#include "framework/data/quantiles_internal.hpp"
#include "tests/data/files.hpp"
#include "tests/data/fuzz.hpp"
#include "tests/data/golden.hpp"

using namespace temper;
using data::ColumnType;
using data::Scaling;
using temper_test::error_of;
using temper_test::Folder;
using temper_test::golden_data;

namespace {

using Words = std::vector<std::string>;

data::Table parse(std::string_view text, const data::TableOptions& options = {}) {
  return data::Table::parse(text, "t.csv", options);
}

std::vector<std::int64_t> range(std::int64_t begin, std::int64_t end) {
  std::vector<std::int64_t> all;
  for (; begin < end; ++begin) all.push_back(begin);
  return all;
}

ColumnType type_of(const data::Table& table, std::string_view column) {
  for (const auto& [name, type] : table.columns()) {
    if (name == column) return type;
  }
  FAIL("no such column");
  return {};
}

std::vector<float> floats(const Tensor& tensor) {
  return {tensor.values<float>().begin(), tensor.values<float>().end()};
}
std::vector<std::int64_t> integers(const Tensor& tensor) {
  return {tensor.values<std::int64_t>().begin(), tensor.values<std::int64_t>().end()};
}

std::string column_of(int count, auto&& field) {
  std::string text = "x\n";
  for (int i = 0; i < count; ++i) text += field(i) + "\n";
  return text;
}

}  // namespace

TEST_CASE("table: types by inference, missing fields, blanks, quotes") {
  const auto table = parse(
      "\xef\xbb\xbf age , city,note,score\r\n"
      "31, Rome ,\"said \"\"yes, twice\"\"\",1e3\r\n"
      ",Oslo,NA,?\r\n"
      "+4.5,,\"two\r\nlines\", -2 \r\n"
      "nan,Rome,\" kept \",0\r\n");
  CHECK(table.size() == 4);
  CHECK(type_of(table, "age") == ColumnType::number);
  CHECK(type_of(table, "city") == ColumnType::category);
  CHECK(type_of(table, "score") == ColumnType::number);
  CHECK(table.numbers("age")[0] == 31);
  CHECK(std::isnan(table.numbers("age")[1]));
  CHECK(table.numbers("age")[2] == 4.5);
  CHECK(table.words("city") == Words{"Rome", "Oslo", "", "Rome"});
  CHECK(table.line(3) == 6);
  const auto declared = parse("a,b\n1, x \n2,y\n", {.types = {{"a", ColumnType::category}, {"b", ColumnType::text}}});
  CHECK(declared.words("a") == Words{"1", "2"});
  CHECK(declared.words("b") == Words{" x ", "y"});
  CHECK(parse("1;2\n", {.delimiter = ';', .header = false}).numbers("1")[0] == 2);
  CHECK(parse("a,b\n1,2\n", {.columns = {"b"}}).columns().size() == 1);
  CHECK(parse("a\n").size() == 0);
}

TEST_CASE("table: many different words are texts") {
  CHECK(type_of(parse(column_of(30, [](int i) { return "w" + std::to_string(i); })), "x") == ColumnType::text);
  CHECK(type_of(parse(column_of(60, [](int i) { return "w" + std::to_string(i % 30); })), "x") == ColumnType::category);
  CHECK(type_of(parse(column_of(20, [](int i) { return "w" + std::to_string(i); })), "x") == ColumnType::category);
  CHECK(type_of(parse(column_of(24'000, [](int i) { return "w" + std::to_string(i % 12'000); })), "x") ==
        ColumnType::text);
  // Half of them numbers: words. Nearly all: somebody's slip.
  CHECK(type_of(parse(column_of(30, [](int i) { return std::to_string(i) + (i % 2 ? "" : "A"); })), "x") ==
        ColumnType::text);
  CHECK(error_of([] { parse(column_of(100, [](int i) { return i == 41 ? "4l" : std::to_string(i); })); }) ==
        "t.csv:43: column 'x': '4l' is not a finite number, as 99 of its 100 fields are; mend it, or declare the "
        "column's type");
}

TEST_CASE("table: a file compressed by gzip") {
  const Folder folder;
  const auto path = folder / "t.csv.gz";
  const gzFile file = ::gzopen(path.c_str(), "wb");
  REQUIRE(file != nullptr);
  ::gzputs(file, "a,b\n1,x\n");
  ::gzclose(file);
  CHECK(data::Table(path).words("b") == Words{"x"});
  CHECK(data::read_csv(path).rows.size() == 1);
}

TEST_CASE("table: what does not fit, with its place") {
  const auto error = [](std::string_view text, const data::TableOptions& options = {}) {
    return error_of([&] { parse(text, options); });
  };
  CHECK(error("") == "t.csv: the file is empty");
  CHECK(error("a,b\n1\n") == "t.csv:2: 1 fields, the first row has 2");
  CHECK(error("a, a \n1,2\n") == "t.csv:1: column 'a' occurs twice");
  CHECK(error("a\nb\xe9\n") == "t.csv:2: byte e9 is not UTF-8; save the file as UTF-8");
  CHECK(error("a,b\n1,2\n", {.columns = {"c"}}) == "t.csv: no column 'c'; there are: a, b");
  CHECK(error("a,b\n1,2\n", {.types = {{"c", ColumnType::text}}}) == "t.csv: no column 'c'; there are: a, b");
  CHECK(error("a,b\n1,2\n3,x\n", {.types = {{"b", ColumnType::number}}}) ==
        "t.csv:3: column 'b': 'x' is not a finite number");
  CHECK(error("a\n1e999\n", {.types = {{"a", ColumnType::number}}}) ==
        "t.csv:2: column 'a': '1e999' is not a finite number");
  const auto table = parse("a,b\n1,x\n");
  CHECK_THROWS_WITH_AS(table.numbers("b"), "t.csv: column 'b' holds categories, not numbers", ValueError);
  CHECK_THROWS_WITH_AS(table.words("a"), "t.csv: column 'a' holds numbers, not words; declare its type to have them",
                       ValueError);
  CHECK_THROWS_WITH_AS(table.numbers("c"), "t.csv: no column 'c'; there are: a, b", ValueError);
  CHECK_THROWS_WITH_AS(table.rows(std::vector<std::int64_t>{1}), "Table: example 1 of a data set of 1", ValueError);
  CHECK(table.has("a"));
  CHECK(!table.has("c"));
}

TEST_CASE("table transform: scikit-learn's numbers, learned from the first rows alone") {
  const auto& recorded = golden_data()["table"];
  const auto table = parse(recorded["csv"].get<std::string>());
  const std::int64_t train = recorded["train"];
  const data::Table fit = table.rows(range(0, train));
  CHECK(type_of(table, "color") == ColumnType::category);
  const auto check = [&](const std::string& name, const data::TableTransformOptions& options, double tolerance) {
    CAPTURE(name);
    const data::TableTransform transform(fit, options);
    const Tensor numbers = transform(table).numbers;
    const auto& expected = recorded["scaled"][name];
    REQUIRE(numbers.shape() == Shape{std::ssize(expected), 5});
    for (std::size_t row = 0; row < expected.size(); ++row) {
      for (std::size_t column = 0; column < 5; ++column) {
        CAPTURE(row);
        CAPTURE(column);
        const double value = expected[row][column];
        CHECK(static_cast<double>(numbers.data<float>()[row * 5 + column]) ==
              doctest::Approx(static_cast<float>(value)).epsilon(tolerance));
      }
    }
    const auto read = data::TableTransform::parse(transform.serialized(), "saved");
    CHECK(floats(read(table).numbers) == floats(numbers));
    CHECK(integers(read(table).categories) == integers(transform(table).categories));
    CHECK(read.serialized() == transform.serialized());
  };
  check("none", {.scaling = Scaling::none}, 1e-7);
  check("standard", {}, 2e-6);
  for (const std::int64_t quantiles : {1000, 10}) {
    check("quantile_uniform " + std::to_string(quantiles),
          {.scaling = Scaling::quantile_uniform, .quantiles = quantiles}, 2e-6);
    check("quantile_normal " + std::to_string(quantiles), {.scaling = Scaling::quantile_normal, .quantiles = quantiles},
          2e-6);
  }

  const data::TableTransform index(fit, {});
  CHECK(index.category_columns() == Words{"color", "city"});
  CHECK(index.category_sizes() == std::vector<std::int64_t>{5, 4});
  std::vector<std::int64_t> all;
  for (const auto& row : recorded["index"]) all.insert(all.end(), row.begin(), row.end());
  CHECK(integers(index(table).categories) == all);

  const data::TableTransform one_hot(fit, {.categories = data::CategoryEncoding::one_hot});
  CHECK(one_hot.features() == Words{"wide", "skewed", "few", "gaps", "same", "color=a \"b\"", "color=blue, dark",
                                    "color=green", "color=red", "city=", "city=Oslo", "city=Rome"});
  CHECK(one_hot.category_sizes().empty());
  CHECK(one_hot(table).categories.shape() == Shape{table.size(), 0});
  const Tensor features = one_hot(table).numbers;
  for (std::int64_t row = 0; row < table.size(); ++row) {
    for (std::int64_t k = 0; k < 7; ++k) {
      CHECK(features.data<float>()[row * 12 + 5 + k] ==
            recorded["one_hot"][std::size_t(row)][std::size_t(k)].get<float>());
    }
  }
}

TEST_CASE("table transform: the other rows change nothing") {
  const auto one = parse("x,c,y\n1,a,0\n2,b,1\n9,c,1\n"), other = parse("x,c,y\n1,a,0\n2,b,1\n-70,d,0\n");
  const auto first = range(0, 2);
  CHECK(data::TableTransform(one.rows(first), {.target = "y"}).serialized() ==
        data::TableTransform(other.rows(first), {.target = "y"}).serialized());
  CHECK(data::TableTransform(one, {.target = "y"}).serialized() !=
        data::TableTransform(other, {.target = "y"}).serialized());
}

TEST_CASE("table transform: targets are classes by name or number, or numbers") {
  const auto table = parse("x,kind,number,price\n1,rose,2,10\n2,fern,0,30\n3,rose,1,20\n");
  const data::TableTransform named(table, {.target = "kind", .columns = {"x"}});
  CHECK(named.class_names() == Words{"fern", "rose"});
  CHECK(named.classes() == 2);
  CHECK(integers(named(table).target) == std::vector<std::int64_t>{1, 0, 1});
  CHECK(named.features() == Words{"x"});
  const data::TableTransform numbered(table, {.target = "number", .columns = {"x"}});
  CHECK(numbered.classes() == 3);
  CHECK(numbered.class_names().empty());
  CHECK(integers(numbered(table).target) == std::vector<std::int64_t>{2, 0, 1});
  const data::TableTransform price(
      table, {.target = "price", .regression = true, .standardize_target = true, .columns = {"x"}});
  CHECK(price.classes() == 0);
  const std::vector<float> standard = floats(price(table).target);
  CHECK(standard[0] == doctest::Approx(-std::sqrt(1.5)));
  CHECK(standard[2] == 0.0f);
  const auto back = data::TableTransform::parse(price.serialized(), "saved").in_units(from(standard, {3, 1}));
  CHECK(back.shape() == Shape{3, 1});
  CHECK(floats(back) == std::vector<float>{10, 30, 20});
  const data::TableTransform plain(table, {.target = "price", .regression = true, .columns = {"x"}});
  CHECK(floats(plain(table).target) == std::vector<float>{10, 30, 20});
  CHECK(plain.in_units(scalar(3)).item() == 3);
  CHECK(!data::TableTransform(table, {}).operator()(table).target.defined());
}

TEST_CASE("table transform: indicators, rare categories, a scaling of one column") {
  const auto table = parse("a,b,c\n1,5,x\n,6,x\n3,7,y\n5,8,\n");
  const data::TableTransform transform(
      table,
      {.scaling = Scaling::none, .scalings = {{"b", Scaling::standard}}, .missing_indicators = true, .min_count = 2});
  CHECK(transform.features() == Words{"a", "b", "a is missing"});
  CHECK(transform.category_sizes() == std::vector<std::int64_t>{2});
  const auto [numbers, categories, target] = transform(table);
  const std::vector<float> values = floats(numbers);
  CHECK(values[3] == 3.0f);  // the median of 1, 3, 5
  CHECK(values[5] == 1.0f);
  CHECK(values[2] == 0.0f);
  CHECK(values[1] == doctest::Approx(-1.5 / std::sqrt(1.25)));
  CHECK(integers(categories) == std::vector<std::int64_t>{1, 1, 0, 0});
}

TEST_CASE("table transform: saved, and applied on prediction to files as they come") {
  const Folder folder;
  std::string text = "city,size,price\n";
  for (int i = 0; i < 40; ++i)
    text += std::string(i % 2 ? "Rome" : "Oslo") + "," + std::to_string(i) + "," + std::to_string(3 * i) + "\n";
  const data::Table table(folder.write("flats.csv", text));
  const auto [train, test] = data::random_indices(table.size(), {0.8, 0.2}, 1);
  CHECK(train.size() == 32);
  const data::TableTransform transform(table.rows(train), {.target = "price", .regression = true});
  const auto [numbers, categories, target] = transform(table.rows(train));
  data::Loader loader(data::TensorDataset(numbers, categories, target), {.batch_size = 32});
  for (const auto& [x, c, y] : loader) CHECK(c.shape() == Shape{32, 1});
  // Columns in another order, others beside them, no target, an unknown city; a column that would be taken for texts.
  const auto fresh = transform.read(folder.write("new.csv", "id,size,city\nA7,3,Bern\nB9,,Rome\n"));
  const auto made = transform(fresh);
  CHECK(!made.target.defined());
  CHECK(integers(made.categories) == std::vector<std::int64_t>{0, 2});
  CHECK(made.numbers.shape() == Shape{2, 1});
  CHECK(error_of([&] { transform.read(folder.write("less.csv", "city,price\nRome,3\n")); }) ==
        (folder / "less.csv").native() + ": no column 'size'; there are: city, price");
  CHECK(error_of([&] { transform.read(folder.write("bad.csv", "city,size\nRome,big\n")); }) ==
        (folder / "bad.csv").native() + ":2: column 'size': 'big' is not a finite number");
  const auto numbered = folder.write("codes.csv", "city,size\n7,1\n");  // as categories, whatever they look like
  CHECK(integers(transform(transform.read(numbered)).categories) == std::vector<std::int64_t>{0});
  CHECK_THROWS_AS(transform(data::Table(numbered)), ValueError);
}

TEST_CASE("table transform: what cannot be") {
  const auto table = parse("x,c,t,y\n1,a,,2.5\n2,b,,1\n,a,,\n");
  const auto error = [&](const data::TableTransformOptions& options) {
    return error_of([&] { data::TableTransform(table, options); });
  };
  CHECK(error({.target = "z"}) == "t.csv: no column 'z'; there are: x, c, t, y");
  CHECK(error({.target = "x", .columns = {"x"}}) == "TableTransform: column 'x' is the target, and among the features");
  CHECK(error({.columns = {"x", "x"}}) == "TableTransform: column 'x' twice among the features");
  CHECK(error({}) == "t.csv: column 't' has no numbers in the 3 training rows");
  CHECK(error({.target = "y", .columns = {"x"}}) ==
        "t.csv:2: target 'y': 2.5 is a number, but none of a class; set .regression for targets that are numbers, or "
        "declare the "
        "column as categories for classes that look like numbers");
  CHECK(error({.target = "y", .regression = true, .columns = {"x"}}) == "t.csv:4: target 'y': is missing");
  CHECK(error({.target = "c", .regression = true, .columns = {"x"}}) ==
        "t.csv: target 'c' holds words, .regression needs numbers");
  CHECK(error({.regression = true}) == "TableTransform: .regression without a .target");
  CHECK(error({.target = "c", .standardize_target = true, .columns = {"x"}}) ==
        "TableTransform: .standardize_target without .regression, expected a target that is a number");
  CHECK(error({.columns = {"x"}, .scalings = {{"c", Scaling::none}}}) ==
        "TableTransform: a scaling for 'c', which is no feature of numbers");
  CHECK(error({.quantiles = 1}) == "TableTransform: 1 quantiles, expected 2 or more");
  CHECK(error({.min_count = 0}) == "TableTransform: min_count 0, expected 1 or more");
  CHECK(error_of([&] { data::TableTransform(table.rows({}), {}); }) == "t.csv: no rows to learn a transform from");
  const auto texts = parse(column_of(30, [](int i) { return "w" + std::to_string(i); }));
  CHECK(error_of([&] { data::TableTransform(texts, {.columns = {"x"}}); }) ==
        "t.csv: column 'x' holds texts, which are no features; declare it as categories, or tokenize it");
  CHECK(error_of([&] { data::TableTransform(texts, {.target = "x"}); }) ==
        "t.csv: target 'x' holds texts, expected a class in each row; declare the column as categories if they are");
  CHECK(error_of([&] {
          data::TableTransform(parse("y\n250000\n0\n"), {.target = "y"});
        }).starts_with("t.csv:2: target 'y': 250000 would be a class of 250001 in 2 rows; set .regression"));

  const data::TableTransform named(parse("x,y\n1,a\n2,b\n"), {.target = "y"});
  CHECK(error_of([&] { named(parse("x,y\n1,c\n")); }) == "t.csv:2: target 'y': 'c' is none of the 2 classes");
  CHECK(error_of([&] {
          named(parse("x,y\n1,\n", {.types = {{"y", ColumnType::category}}}));
        }) == "t.csv:2: target 'y': is missing");
  CHECK(error_of([&] { named(parse("x,y\n1,7\n")); }) ==
        "t.csv: target 'y' holds numbers, the training rows had words; TableTransform::read reads it as such");
  CHECK(error_of([&] { named(parse("z\n1\n")); }) == "t.csv: no column 'x'; there are: z");
  const data::TableTransform raw(parse("x\n1\n"), {.scaling = Scaling::none});
  CHECK(error_of([&] { raw(parse("x\n1e300\n")); }) ==
        "t.csv:2: column 'x': 1e+300 becomes 1e+300, which is more than f32 holds");
  const data::TableTransform counted(parse("x,y\n1,0\n2,1\n"), {.target = "y"});
  CHECK(error_of([&] { counted(parse("x,y\n1,2\n")); }) == "t.csv:2: target 'y': 2 is none of the 2 classes");
}

TEST_CASE("table transform: damaged files") {
  const auto table = parse("x,c,y\n1,a,u\n2,b,v\n4,a,u\n");
  const std::string good =
      data::TableTransform(table, {.target = "y", .scaling = Scaling::quantile_normal}).serialized();
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    REQUIRE(text.find(from) != std::string::npos);
    text.replace(text.find(from), from.size(), to);
    return error_of([&] { data::TableTransform::parse(text, "f"); });
  };
  CHECK(changed("quantile_normal", "standard") == "accepted");
  CHECK(changed("quantile_normal", "log") ==
        "f: file.numbers[0].scaling is 'log', expected none, standard, quantile_uniform or "
        "quantile_normal");
  CHECK(changed("temper.table_transform.1", "x") == "f: file.format is 'x', expected 'temper.table_transform.1'");
  CHECK(changed("\"quantiles\":[1.0,2.0,4.0]", "\"quantiles\":[1.0,4.0,2.0]") ==
        "f: file.numbers[0].quantiles fall, expected them to rise");
  CHECK(changed("\"quantiles\":[1.0,2.0,4.0]", "\"quantiles\":[]") == "f: file.numbers[0].quantiles is empty");
  CHECK(changed("\"words\":[\"a\",\"b\"]", "\"words\":[\"b\",\"a\"]") ==
        "f: file.categories[0].words has 'a' after 'b', expected them sorted");
  CHECK(changed("\"classes\":2", "\"classes\":3") ==
        "f: file.target.classes is 3, which does not fit the rest of the target");
  CHECK(changed("\"one_hot\"", "\"one\"") == "f: file has no \"one_hot\"");
  CHECK(error_of([] { data::TableTransform::parse("{", "f"); }) == "f: not JSON");
  temper_test::fuzz({good}, 5'000,
                    [&](const std::string& text) { data::TableTransform::parse(text, "f")(table.rows({})); });
}

TEST_CASE("fuzz: table") {
  temper_test::fuzz(
      {"a,b,label\n1,2,x\n3.5,-4e3,y\n", "\"a\",\"b \"\"c\"\"\"\r\n\"1\n2\",\r\n", "\xef\xbb\xbfx\n1\nNA\n"}, 10'000,
      [](const std::string& file) { parse(file); });
}

TEST_CASE("normal quantiles: the inverse of the distribution") {
  for (const double x : {-5.0, -3.0, -1.0, -0.1, 0.0, 0.5, 2.0, 4.9}) {
    CHECK(data::detail::normal_quantile(0.5 * std::erfc(-x / std::sqrt(2.0))) == doctest::Approx(x).epsilon(1e-9));
  }
  CHECK(data::detail::normal_quantile(0) == doctest::Approx(-5.199337582192817).epsilon(1e-12));
  CHECK(data::detail::normal_quantile(0.975) == doctest::Approx(1.959963984540054).epsilon(1e-14));
}
