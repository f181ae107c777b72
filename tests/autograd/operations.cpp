#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <variant>
#include <vector>

#include <temper/temper.hpp>

#include "framework/autograd/listener_internal.hpp"

using namespace temper;
using detail::Listener;

namespace {

std::vector<std::string> names(const Listener& listener) {
  std::vector<std::string> all;
  for (const detail::Heard& heard : listener.heard) all.push_back(heard.name);
  return all;
}

}  // namespace

TEST_CASE("a listener hears operations with their inputs and attributes, recorded or not") {
  const Tensor x = ones({2, 3}), ids = indices({1, 0});
  Listener listener;
  const Tensor y = softmax(x, 1);
  static_cast<void>(embedding(ids, x));
  static_cast<void>(equal(ids, ids));
  {
    const Tape tape;
    static_cast<void>(permute(y, {1, 0}));
  }
  CHECK(names(listener) == std::vector<std::string>{"softmax", "embedding", "equal", "permute"});
  const auto& heard = listener.heard;
  CHECK(heard[0].y.same(y));
  CHECK(heard[0].inputs.at(0).same(x));
  CHECK(std::get<std::int64_t>(heard[0].attributes.at("axis")) == 1);
  CHECK(std::get<Tensor>(heard[1].attributes.at("ids")).same(ids));
  CHECK(std::get<std::vector<std::int64_t>>(heard[3].attributes.at("axes")) == std::vector<std::int64_t>{1, 0});
}

TEST_CASE("the innermost listener of a thread hears alone, and none hears other threads") {
  const Tensor x = ones({2});
  Listener outer;
  {
    Listener inner;
    static_cast<void>(exp(x));
    std::thread([&] { static_cast<void>(log(x)); }).join();
    CHECK(names(inner) == std::vector<std::string>{"exp"});
  }
  static_cast<void>(sqrt(x));
  CHECK(names(outer) == std::vector<std::string>{"sqrt"});
}

TEST_CASE("an operation made of others is the last to name its result") {
  Listener listener;
  const Tensor y = var(from({1, 2, 4}, {3}));
  CHECK(names(listener).size() > 1);
  CHECK(listener.heard.back().name == "var");
  CHECK(listener.heard.back().y.same(y));
}
