// What holds for the table as a whole.

#include <doctest/doctest.h>

#include <map>
#include <set>

#include "tests/ops/golden.hpp"
#include "tests/ops/op_test.hpp"

namespace temper::test {

TEST_CASE("every operation with recorded cases is in the table, with 12 cases and 2 errors at least") {
  std::map<std::string, int> cases;
  for (const GoldenCase& golden : golden_cases()) ++cases[golden.op];
  std::set<std::string> names;
  for (auto* family : {arithmetic_ops, activation_ops, matmul_ops, image_ops, norm_ops, loss_ops, reduce_ops, shape_ops,
                       attention_ops}) {
    for (const OpTest& test : family()) {
      CAPTURE(test.name);
      CHECK(names.insert(test.name).second);
      CHECK(cases[test.name] >= 12);
      CHECK(test.errors.size() >= 2);
    }
  }
  for (const auto& [name, count] : cases) {
    CAPTURE(name);
    CHECK(names.contains(name));
  }
}

}  // namespace temper::test
