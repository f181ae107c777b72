// Every test program: doctest, with bytes around oneDNN's workspaces that it must not touch, and then a look at what it
// chose for all primitives the tests made.

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>

#include "framework/kernels/onednn.hpp"
#include "tests/slow.hpp"

int main(int count, char** arguments) {
  doctest::Context context(count, arguments);
  temper::kernels::onednn::watch_workspaces(4096);
  const int result = context.run();
  const auto slow = temper::test::slow_implementations(temper::kernels::onednn::implementations());
  for (const std::string& name : slow) std::fprintf(stderr, "oneDNN has no fast kernel for this: %s\n", name.c_str());
  return slow.empty() ? result : 1;
}
