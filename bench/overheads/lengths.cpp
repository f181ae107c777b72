// The cost of changing shapes: a GPT trains on texts of 1 to 512 tokens in random order, and the same steps are timed
// again grouped by length. Prints one line of JSON.
// Usage: overheads-lengths [ROUNDS] [LONGEST]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <numeric>
#include <random>
#include <vector>

#include <temper/core/pool.hpp>
#include <temper/models/gpt/gpt.hpp>
#include <temper/temper.hpp>

#include "bench/machine.hpp"

using namespace temper;

namespace {

constexpr std::int64_t batch = 4;
constexpr std::int64_t stride = 8;  // only lengths that are multiples of it are timed
constexpr std::int64_t vocabulary = 256;

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

class Training {
 public:
  explicit Training(std::int64_t longest)
      : model_({.vocabulary = vocabulary, .context = longest, .layers = 2, .heads = 2, .width = 128}),
        adamw_(model_.parameters(), {.lr = 1e-3}) {}

  /// Does one update on random texts of this length. Returns its time in milliseconds.
  double step(std::int64_t tokens) {
    Tensor ids = empty({batch, tokens}, Dtype::i64);
    for (std::int64_t& id : ids.mutable_values<std::int64_t>()) id = static_cast<std::int64_t>(random_() % vocabulary);
    const auto start = std::chrono::steady_clock::now();
    {
      Tape tape;
      tape.backward(cross_entropy(model_(ids), ids));
      adamw_.step();
    }
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  }

 private:
  models::Gpt model_;
  optim::AdamW adamw_;
  std::mt19937 random_{1};
};

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 5;
  const std::int64_t longest = argc > 2 ? std::atol(argv[2]) : 512;
  Training training(longest);
  std::mt19937 random(2);
  std::vector<std::int64_t> lengths(static_cast<std::size_t>(longest));
  std::iota(lengths.begin(), lengths.end(), 1);

  double first = 0.0;
  std::shuffle(lengths.begin(), lengths.end(), random);
  for (const std::int64_t length : lengths) first += training.step(length);
  const std::uint64_t requests = pool_stats().system_requests;

  std::map<std::int64_t, std::vector<double>> changing, constant;
  for (int round = 0; round < rounds; ++round) {
    std::shuffle(lengths.begin(), lengths.end(), random);
    for (const std::int64_t length : lengths) {
      const double time = training.step(length);
      if (length % stride == 0) changing[length].push_back(time);
    }
    for (const std::int64_t length : lengths) {
      if (length % stride != 0) continue;
      training.step(length);
      for (int i = 0; i < 3; ++i) constant[length].push_back(training.step(length));
    }
  }
  double any_order = 0.0, one_size = 0.0;
  for (auto& [length, times] : changing) {
    any_order += median(times);
    one_size += median(constant[length]);
  }
  const PoolStats pool = pool_stats();
  std::printf("{");
  for (const auto& [name, value] : bench::machine()) std::printf("\"%s\": \"%s\", ", name.c_str(), value.c_str());
  std::printf(
      "\"first_ms\": %.3f, \"any_order_ms\": %.3f, \"one_size_ms\": %.3f, \"ratio\": %.4f, \"pool_held\": %zu, "
      "\"pool_peak\": %zu, \"system_requests\": %llu}\n",
      first / static_cast<double>(lengths.size()), any_order / static_cast<double>(changing.size()),
      one_size / static_cast<double>(changing.size()), any_order / one_size, pool.held, pool.peak,
      static_cast<unsigned long long>(pool.system_requests - requests));
}
