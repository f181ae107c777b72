#pragma once

#include <cstdint>
#include <vector>

#include <temper/data/split.hpp>

namespace temper::detail {

/// The numbers of `count` examples that belong to a split, in order; a share of all is held out, chosen by the seed.
/// Throws: ValueError for a share outside 0 to 1.
std::vector<std::int64_t> random_split(std::int64_t count, data::Split split, double held_out, std::uint64_t seed);

}  // namespace temper::detail
