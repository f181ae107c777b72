// TEMPER_ISA selects the kernels of an instruction set. It is read once per process, so each value is tested in its own
// process.

#include <doctest/doctest.h>

#include <unistd.h>

#include <cstdlib>
#include <string>

#include "framework/kernels/isa.hpp"
#include "optim/kernels/table.hpp"

namespace temper::kernels {

namespace {

bool runs(const std::string& environment) {
  const std::string command = environment + " '" + std::getenv("TEMPER_TEST_PROGRAM") +
                              "' --no-skip --test-case='the tables are those of the chosen set' >/dev/null";
  return std::system(command.c_str()) == 0;
}

}  // namespace

TEST_CASE("the kernels that run are those of the chosen instruction set") {
  CHECK(&table() == &table(isa()));
  char self[4096] = {};
  REQUIRE(::readlink("/proc/self/exe", self, sizeof self - 1) > 0);
  ::setenv("TEMPER_TEST_PROGRAM", self, 1);
  for (const Isa set : all_isas()) {
    const std::string name(name_of(set));
    CAPTURE(name);
    CHECK(runs("TEMPER_ISA=" + name) == supported(set));
  }
  CHECK_FALSE(runs("TEMPER_ISA=sse3"));
}

TEST_CASE("the tables are those of the chosen set" * doctest::skip()) {
  const char* const wanted = std::getenv("TEMPER_ISA");
  if (wanted != nullptr && *wanted != '\0') CHECK(name_of(isa()) == wanted);
  CHECK(&table() == &table(isa()));
  CHECK(&optim_kernels::current() == &optim_kernels::table_of(isa()));
}

}  // namespace temper::kernels
