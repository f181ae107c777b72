#pragma once

// The step of a recommendation model's tables, as in DLRM's benchmark for CPUs (bench/dlrm_s_benchmark.sh of its
// repository: batch 2048, 8 tables of 1,000,000 x 64, 100 indices a lookup), at a size for two cores. C++17, as
// LibTorch's side includes it too. Source: Naumov et al., "Deep learning recommendation model" (2019).

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

namespace temper::bench::sparse_shapes {

inline constexpr std::int64_t tables = 8, rows = 100'000, width = 64, batch = 512, lookups = 100;
inline constexpr std::int64_t batches = 8;  // different ones, which steps take in turn

/// Row numbers for one table in one batch: row of rank r is drawn with a probability proportional to 1/r (Zipf's law),
/// and ranks are scattered over the table.
inline std::vector<std::int64_t> ids(std::int64_t table, std::int64_t which) {
  std::mt19937_64 generator(static_cast<std::uint64_t>(1000 * table + which));
  std::vector<std::int64_t> result(static_cast<std::size_t>(batch * lookups));
  for (std::int64_t& id : result) {
    const double u = static_cast<double>(generator() >> 11) * 0x1p-53;
    const auto rank = static_cast<std::int64_t>(std::exp(u * std::log(static_cast<double>(rows))));  // 1 to rows - 1
    id = (rank * 61'681 + table * 7) % rows;
  }
  return result;
}

}  // namespace temper::bench::sparse_shapes
