// The main function of every test program. Runs doctest with guard bytes around oneDNN's workspaces, then fails if
// oneDNN used a slow reference implementation for any primitive of the tests.

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
