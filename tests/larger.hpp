#pragma once

// The largest of some differences, for comparison with a bound.

#include <type_traits>

namespace temper_test {

/// The larger of two numbers, NaN if one of them is. std::max(a, NaN) is a, so that NaN would keep any bound.
template <class T>
T larger(T a, std::type_identity_t<T> b) {
  return b <= a || a != a ? a : b;
}

}  // namespace temper_test
