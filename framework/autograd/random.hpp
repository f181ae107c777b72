#pragma once

#include <temper/core/random.hpp>

namespace temper::detail {

/// The random stream of the next dropout call: a function of the seed, the number of the training tape and the number
/// of the call on it.
RandomStream dropout_stream();

/// Whether a block is being computed again for backward: what training does once a step (running statistics) it has
/// done already.
bool recomputing();

}  // namespace temper::detail
