#pragma once

#include <temper/core/random.hpp>

namespace temper::detail {

/// The random stream of the next dropout call: a function of the seed, the number of the training tape and the number
/// of the call on it.
RandomStream dropout_stream();

/// Whether a block of recompute() is being computed again for backward. Side effects of training that happen once a
/// step, such as running statistics, are skipped then.
bool recomputing();

}  // namespace temper::detail
