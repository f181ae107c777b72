#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <temper/core/random.hpp>
#include <temper/distributed/distributed.hpp>

#include "framework/distributed/shard_sum_internal.hpp"
#include "framework/tensor/bytes_internal.hpp"

using namespace temper;
using namespace temper::distributed;

namespace {

std::string bytes_of(const Tensor& tensor) {
  const auto bytes = temper::detail::bytes_of(tensor);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A gradient of random numbers of very different sizes, so that the order of a sum shows.
Tensor gradient(const Shape& shape, int shard, int item) {
  const temper::detail::RandomStream random(1, temper::detail::RandomUse::draw, static_cast<std::uint64_t>(shard),
                                            static_cast<std::uint64_t>(item));
  Tensor result = empty(shape);
  std::uint64_t counter = 0;
  for (float& value : result.mutable_values<float>()) {
    const double wide = std::exp(6 * random.normal(counter));
    value = static_cast<float>(random.normal(counter + 1000000) * wide);
    ++counter;
  }
  return result;
}

/// Shard 2 has no gradient of item 1; no shard has one of item 3; item 4 has one in shard 1 alone, with a -0 in it.
bool has(int shard, int item) { return item == 1 ? shard != 2 : item == 3 ? false : item == 4 ? shard == 1 : true; }

/// The sums on every process, which must be the same; as bytes, one text for each parameter and the buffer.
std::vector<std::string> sums(int shards, int processes) {
  // Eight shards have more than the elements that are summed at once.
  const std::vector<Shape> shapes = {{shards == 8 ? 1 << 20 : 1000, 1}, {333}, {7, 11}, {5}, {3}, {0}};
  std::vector<std::vector<std::string>> all(static_cast<std::size_t>(processes));
  run_threads(processes, [&](Group& group) {
    std::vector<Parameter> parameters;
    for (const Shape& shape : shapes) parameters.emplace_back(zeros(shape), Role::weight);
    Parameter table(zeros({50, 3}), Role::embedding);
    table.make_sparse();
    parameters.push_back(table);
    Tensor running = full({4}, 0.3f);
    distributed::detail::ShardSum sum(group, parameters, {{"running", running}, {"count", indices({3})}}, shards);
    for (int update = 0; update < 2; ++update) {
      discard_gradients(parameters);
      sum.begin();
      for (int i = 0; i < sum.count(); ++i) {
        const int shard = sum.first() + i;
        for (std::size_t item = 0; item < shapes.size(); ++item) {
          if (!has(shard, static_cast<int>(item))) continue;
          Tensor its = gradient(shapes[item], shard, static_cast<int>(item));
          if (item == 4) its.mutable_data<float>()[0] = -0.0f;
          parameters[item].set_gradient(its);
        }
        if (shard % 3 != 1) {
          parameters.back().set_row_gradient({indices({shard, shard + 20, 45}), gradient({3, 3}, shard, 9)});
        }
        // As batch norm does: a moving average, begun from the value before the update.
        CHECK(running.data<float>()[0] == doctest::Approx(update == 0 ? 0.3 : running.data<float>()[0]));
        for (float& value : running.mutable_values<float>()) value += 0.1f * (static_cast<float>(shard) - value);
        sum.add();
      }
      sum.finish();
    }
    auto& mine = all[static_cast<std::size_t>(group.rank())];
    for (std::size_t item = 0; item < shapes.size(); ++item) {
      mine.push_back(parameters[item].has_gradient() ? bytes_of(parameters[item].gradient()) : "none");
    }
    mine.push_back(bytes_of(table.row_gradient().rows) + bytes_of(table.row_gradient().values));
    mine.push_back(bytes_of(running));
  });
  for (const auto& other : all) CHECK(other == all[0]);
  return all[0];
}

}  // namespace

TEST_CASE("the sum over shards has the same bits for every number of processes that divides them") {
  const std::map<int, std::vector<int>> cases = {{2, {2}},       {3, {3}},    {4, {2, 4}},        {5, {5}},
                                                 {6, {2, 3, 6}}, {8, {2, 4, 8}}, {12, {2, 3, 4, 6}}};
  for (const auto& [shards, counts] : cases) {
    const auto alone = sums(shards, 1);
    for (const int processes : counts) {
      CAPTURE(shards);
      CAPTURE(processes);
      CHECK(sums(shards, processes) == alone);
    }
  }
}

TEST_CASE("the sum over shards is a binary tree over their numbers") {
  // (a + b) + (c + d), and not ((a + b) + c) + d: the last differs for these.
  const std::vector<float> shards = {1.0f, 0x1p-24f, 0x1p-24f, 0x1p-24f};
  Group alone;
  Parameter parameter(zeros({1}), Role::weight);
  distributed::detail::ShardSum sum(alone, {parameter}, {}, 4);
  sum.begin();
  for (const float shard : shards) {
    parameter.set_gradient(full({1}, shard));
    sum.add();
    CHECK_FALSE(parameter.has_gradient());
  }
  sum.finish();
  CHECK(parameter.gradient().item() == (1.0f + 0x1p-24f) + (0x1p-24f + 0x1p-24f));
  CHECK(parameter.gradient().item() != ((1.0f + 0x1p-24f) + 0x1p-24f) + 0x1p-24f);
}

TEST_CASE("buffers end as the mean of what the shards made of them, and begin anew after drop()") {
  Group alone;
  Tensor running = full({1}, 2.0f), untouched = full({1}, 0.1f);
  distributed::detail::ShardSum sum(alone, {Parameter(zeros({1}), Role::weight)},
                                    {{"running", running}, {"untouched", untouched}}, 3);
  sum.begin();
  running.fill(5.0f);
  sum.add();
  CHECK(running.item() == 2.0f);
  sum.drop();
  CHECK(running.item() == 2.0f);
  sum.begin();
  for (const float value : {3.0f, 4.0f, 8.0f}) {
    running.fill(value);
    sum.add();
  }
  sum.finish();
  CHECK(running.item() == 5.0f);
  CHECK(untouched.item() == 0.1f);
}

TEST_CASE("processes that cannot share the shards are refused, with both numbers") {
  run_threads(3, [](Group& group) {
    CHECK_THROWS_WITH_AS(distributed::detail::ShardSum(group, {}, {}, 8),
                         "3 processes cannot share 8 shards; the number of processes must divide that of the shards",
                         ValueError);
  });
}
