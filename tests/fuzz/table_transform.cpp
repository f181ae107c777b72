#include <cstdlib>

#include <temper/data/table.hpp>
#include <temper/data/table_transform.hpp>

#include "tests/fuzz/fuzz.hpp"

void read(const Input& input) {
  using namespace temper::data;
  const auto transform = TableTransform::parse(input.text(), "fuzz");
  // What is saved reads back as itself.
  if (TableTransform::parse(transform.serialized(), "again").serialized() != transform.serialized()) std::abort();
  static const Table table = Table::parse("x,c,y\n1,a,u\n2,b,v\n,,u\n", "fuzz");
  transform(table);
}
