#include "framework/data/held_out_internal.hpp"

#include <temper/core/random.hpp>

#include <numeric>
#include <utility>

#include "framework/core/format_internal.hpp"

namespace temper::detail {

std::vector<std::int64_t> random_split(std::int64_t count, data::Split split, double held_out, std::uint64_t seed) {
  if (!(held_out >= 0.0 && held_out <= 1.0)) fail<ValueError>("held_out {}, expected a share from 0 to 1", held_out);
  const auto out = static_cast<std::size_t>(held_out * static_cast<double>(count));
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  const RandomStream random(seed, RandomUse::shuffle, 0);
  std::vector<bool> test(order.size());
  for (std::size_t i = 0; i < out; ++i) {
    std::swap(order[i], order[i + random.below(order.size() - i, i)]);
    test[static_cast<std::size_t>(order[i])] = true;
  }
  std::vector<std::int64_t> numbers;
  for (std::size_t i = 0; i < test.size(); ++i) {
    if (test[i] == (split == data::Split::test)) numbers.push_back(static_cast<std::int64_t>(i));
  }
  return numbers;
}

}  // namespace temper::detail
