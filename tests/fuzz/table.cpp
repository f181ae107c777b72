#include <temper/data/table.hpp>
#include <temper/data/table_transform.hpp>

#include "tests/fuzz/fuzz.hpp"

/// A table whose first column is predicted, as far as it can be.
void read(const Input& input) {
  using namespace temper::data;
  const Table table = Table::parse(input.text(), "fuzz");
  const std::string first = table.columns().front().name;
  for (const CategoryEncoding encoding : {CategoryEncoding::index, CategoryEncoding::one_hot}) {
    const TableTransform transform(
        table,
        {.target = first, .scaling = Scaling::quantile_normal, .missing_indicators = true, .categories = encoding});
    transform(table);
    TableTransform::parse(transform.serialized(), "fuzz")(table);
  }
}
