#pragma once

// Examples that are numbers, so that a test sees which ones a loader gives, and in what order.

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <tuple>
#include <vector>

#include <temper/tensor/tensor.hpp>

namespace temper_test {

using Numbers = std::vector<std::int64_t>;

/// Example i is {i}, without a batch() of its own.
struct Counting {
  std::int64_t count;
  std::int64_t size() const { return count; }
  std::array<temper::Tensor, 1> get(std::int64_t i) const {
    temper::Tensor index = temper::empty({}, temper::Dtype::i64);
    *index.mutable_data<std::int64_t>() = i;
    return {index};
  }
};

/// The first field of an epoch's batches, one after the other.
template <class Loader>
Numbers numbers_of(Loader&& loader) {
  Numbers all;
  for (const auto& batch : loader) {
    const auto values = std::get<0>(batch).template values<std::int64_t>();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

inline Numbers sorted(Numbers numbers) {
  std::ranges::sort(numbers);
  return numbers;
}

/// 0, 1, ... count - 1
inline Numbers range(std::int64_t count) {
  Numbers all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), std::int64_t{0});
  return all;
}

}  // namespace temper_test
