// Tests of the table of operations as a whole.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <utility>

#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>

#include "tests/ops/golden.hpp"
#include "tests/ops/op_test.hpp"

namespace temper::test {

std::vector<OpTest> all_ops() {
  std::vector<OpTest> all;
  for (auto* family : {arithmetic_ops, activation_ops, matmul_ops, image_ops, norm_ops, loss_ops, reduce_ops, shape_ops,
                       attention_ops, function_ops, layer_ops, einsum_ops, place_ops, whole_ops, more_loss_ops,
                       segment_ops, window_ops, distribution_ops}) {
    for (OpTest& test : family()) all.push_back(std::move(test));
  }
  return all;
}

TEST_CASE("every operation with recorded cases is in the table, with at least 12 cases and 2 errors") {
  std::map<std::string, int> cases;
  for (const GoldenCase& golden : golden_cases()) ++cases[golden.op];
  std::set<std::string> names;
  for (const OpTest& test : all_ops()) {
    CAPTURE(test.name);
    CHECK(names.insert(test.name).second);
    CHECK(cases[test.name] >= 12);
    CHECK(test.errors.size() >= 2);
  }
  for (const auto& entry : cases) {
    const auto& [name, count] = entry;
    CAPTURE(entry.first);
    CHECK(names.contains(name));
  }
}

TEST_CASE("every public operation is called by the tests of this folder") {
  namespace fs = std::filesystem;
  const auto text_of = [](const fs::path& path) {
    std::ifstream file(path);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  std::set<std::string> called;
  for (const auto& entry : fs::directory_iterator(TEMPER_TEST_DIR "/ops")) {
    std::string word;
    for (const char letter : text_of(entry.path()) + ' ') {
      if (std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_') {
        word += letter;
      } else {
        called.insert(std::exchange(word, ""));
      }
    }
  }
  // A declaration begins a line; those in namespace detail are not public.
  const std::regex declaration(R"(^(?:inline )?(?:[A-Z]\w+|std::vector<Tensor>) ([a-z]\w*)\(.*)");
  int operations = 0;
  for (const auto& entry : fs::directory_iterator(TEMPER_TEST_DIR "/../framework/autograd/ops")) {
    if (entry.path().extension() != ".hpp" || entry.path().stem().string().ends_with("_internal")) continue;
    std::ifstream header(entry.path());
    bool within_detail = false;
    for (std::string line; std::getline(header, line);) {
      if (line.starts_with("namespace detail")) within_detail = true;
      if (line.starts_with("}")) within_detail = false;
      std::smatch found;
      if (within_detail || !std::regex_match(line, found, declaration)) continue;
      CAPTURE(line);
      CHECK(called.contains(found[1]));
      ++operations;
    }
  }
  CHECK(operations > 200);
}

// test_ops --no-skip --test-case="print the table of operations"
TEST_CASE("print the table of operations" * doctest::skip()) {
  std::map<std::string, int> cases, gradients;
  for (const GoldenCase& golden : golden_cases()) {
    ++cases[golden.op];
    for (const Tensor& gradient : golden.gradients) gradients[golden.op] += gradient.defined() ? 1 : 0;
  }
  std::size_t all_cases = 0, all_gradients = 0, all_errors = 0;
  const auto line = [](const auto&... column) { fmt::print("{:<30} {:>6} {:>10} {:>7}\n", column...); };
  line("operation", "cases", "gradients", "errors");
  for (const OpTest& test : all_ops()) {
    line(test.name, cases[test.name], gradients[test.name], test.errors.size());
    all_cases += static_cast<std::size_t>(cases[test.name]);
    all_gradients += static_cast<std::size_t>(gradients[test.name]);
    all_errors += test.errors.size();
  }
  line(fmt::format("{} operations", all_ops().size()), all_cases, all_gradients, all_errors);
}

TEST_CASE("an operation without a bf16 kernel throws and says so") {
  // These move elements of any type.
  const std::set<std::string> movers = {"reshape", "flatten",  "permute",   "transpose",     "slice", "concat", "stack",
                                        "split",   "squeeze",  "unsqueeze", "strided_slice", "flip",  "roll",   "tril",
                                        "triu",    "diagonal", "nonzero",   "count_nonzero", "cast",  "argsort"};
  for (const OpTest& test : all_ops()) {
    if (std::ranges::find(bf16_ops(), test.name, &Bf16Op::name) != bf16_ops().end()) continue;
    CAPTURE(test.name);
    bool seen = false;
    for (const GoldenCase& golden : golden_cases()) {
      if (golden.op != test.name || seen) continue;
      seen = true;
      for (std::size_t i = 0; i < golden.inputs.size(); ++i) {
        if (golden.inputs[i].dtype() != Dtype::f32) continue;
        CAPTURE(i);
        Tensors inputs = golden.inputs;
        inputs[i] = zeros(inputs[i].shape(), Dtype::bf16);
        const Tape tape;
        std::string text = "nothing";
        try {
          test.engine(inputs, golden.attributes);
        } catch (const ShapeError& error) {
          text = error.what();
        }
        CAPTURE(text);
        CHECK((text.find("bf16") != std::string::npos) != movers.contains(test.name));
        CHECK(tape.size() == 0);
      }
    }
    CHECK(seen);
  }
}

}  // namespace temper::test
