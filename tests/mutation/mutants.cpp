#include "framework/core/mutants_internal.hpp"

#include <cstdlib>

namespace temper {

// Compiled into the library by TEMPER_MUTANTS alone.
bool mutant(Mutant planted) {
  static const int chosen = [] {
    const char* number = std::getenv("TEMPER_MUTANT");
    return number != nullptr ? std::atoi(number) : 0;
  }();
  return chosen == static_cast<int>(planted);
}

}  // namespace temper
