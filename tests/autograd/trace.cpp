#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include <map>
#include <string>

#include <temper/autograd/ops.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/parallel.hpp>
#include <temper/core/trace.hpp>

using namespace temper;

namespace {

/// The text of every span, and its floating-point operations, by track and name.
struct Stretch {
  std::string shapes;
  std::int64_t flop;
};
template <class Work>
std::multimap<std::string, Stretch> traced(Work work) {
  start_trace();
  work();
  stop_trace();
  std::multimap<std::string, Stretch> result;
  const auto trace = nlohmann::json::parse(trace_json());
  for (const auto& event : trace.at("traceEvents")) {
    if (event.at("ph") != "X" || event.at("cat") == "help") continue;
    const auto& more = event.at("args");
    result.emplace(event.at("cat").get<std::string>() + " " + event.at("name").get<std::string>(),
                   Stretch{more.value("shapes", std::string()), more.value("FLOP", std::int64_t{0})});
  }
  return result;
}

}  // namespace

TEST_CASE("the trace has every operation, forward and backward, with shapes and floating-point operations") {
  const auto found = traced([] {
    Tape tape;
    const Tensor a = ones({50, 20}), b = ones({20, 30});
    tape.watch(a);
    tape.watch(b);
    tape.backward(sum(relu(matmul(a, b))));
  });
  REQUIRE(found.size() == 6);
  const auto one = [&](const std::string& name) {
    REQUIRE(found.count(name) == 1);
    return found.find(name)->second;
  };
  CHECK(one("forward matmul").shapes == "[50, 20], [20, 30] -> [50, 30]");
  CHECK(one("forward matmul").flop == 2 * 50 * 20 * 30);
  CHECK(one("forward relu").shapes == "[50, 30] -> [50, 30]");
  CHECK(one("forward relu").flop == 0);
  CHECK(one("forward sum").shapes == "[50, 30] -> []");
  CHECK(one("backward matmul").shapes == "[50, 30]");
  CHECK(one("backward matmul").flop == 4 * 50 * 20 * 30);
  CHECK(one("backward sum").shapes == "[]");
}

TEST_CASE("floating-point operations do not depend on the number of threads, and are those of convolutions, too") {
  const int before = threads();
  std::int64_t attention[2] = {};
  for (const int count : {1, 3}) {
    set_threads(count);
    const auto found = traced([] {
      const Tensor x = ones({4, 2, 70, 16});
      scaled_dot_product_attention(x, x, x);
      conv2d(ones({2, 10, 10, 3}), ones({4, 3, 3, 3}), {}, {.padding = 1});
    });
    REQUIRE(found.size() == 2);
    for (const auto& [name, span] : found) {
      if (name == "forward conv2d") {
        CHECK(span.flop == 2 * 2 * 10 * 10 * 4 * 27);
      } else {
        attention[count == 1 ? 0 : 1] = span.flop;
      }
    }
  }
  set_threads(before);
  CHECK(attention[0] == 4 * 2 * 4 * 70 * 70 * 16);
  CHECK(attention[1] == attention[0]);
}
