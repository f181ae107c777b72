#pragma once

#include <cstdint>

#include <temper/core/random.hpp>

namespace temper::distributed::detail {

/// Where the random numbers of a batch begin: a function of the seed, the update and the batch's number in it, so that
/// dropout masks do not depend on which process computes the batch. Nobody draws 2^32 numbers for a batch; those before
/// the first update are for initialization.
inline RandomState random_of(std::uint64_t seed, std::int64_t update, std::int64_t batch, std::int64_t batches) {
  const std::uint64_t start = static_cast<std::uint64_t>(1 + update * batches + batch) << 32;
  return {.seed = seed, .draws = start, .tapes = start};
}

}  // namespace temper::distributed::detail
