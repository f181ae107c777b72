#pragma once

#include <temper/core/random.hpp>

namespace temper::detail {

/// The random stream of the next dropout call: a function of the seed, the number of the training tape and the number
/// of the call on it.
RandomStream dropout_stream();

}  // namespace temper::detail
