#pragma once

#include <cstdint>

namespace temper_test {

/// How often this thread has called operator new. The pool does not use it.
std::int64_t allocations();

}  // namespace temper_test
