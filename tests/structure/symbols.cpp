#include <doctest/doctest.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "tests/structure/rules.hpp"

using namespace temper::structure;

namespace {

std::string output_of(const std::string& command) {
  std::FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string output;
  std::array<char, 4096> part;
  while (const std::size_t n = std::fread(part.data(), 1, part.size(), pipe)) output.append(part.data(), n);
  const int status = pclose(pipe);
  REQUIRE_MESSAGE(status == 0, command);
  return output;
}

struct IsaObject {
  std::string tag, path;
};

/// Every object compiled for one instruction set.
std::vector<IsaObject> isa_objects() {
  std::ifstream list(TEMPER_ISA_OBJECTS);
  std::vector<IsaObject> objects;
  for (IsaObject object; list >> object.tag && std::getline(list >> std::ws, object.path);) objects.push_back(object);
  REQUIRE(objects.size() >= 6);
  return objects;
}

}  // namespace

// Not checked for SSE2 and NEON, which every x86-64 and every arm64 CPU has.
TEST_CASE("objects compiled for one instruction set define tagged symbols only") {
  std::size_t symbols = 0;
  bool checked = false;
  for (const auto& [tag, object] : isa_objects()) {
    if (tag == "sse2" || tag == "neon") continue;
    checked = true;
    const std::string listing = output_of("nm '" + object + "'");
    for (const std::string& symbol : untagged_symbols(listing, tag)) FAIL_CHECK(object << ": " << symbol);
    symbols += untagged_symbols(listing, "no symbol has this in its name").size();
  }
  CHECK((symbols > 0) == checked);
}

// An instruction that the CPU lacks ends the program, so no code of these objects may run before their table is
// selected: no function that others can call by name, and no initialization before main().
TEST_CASE("objects compiled for one instruction set export constants and no code") {
  for (const auto& [tag, object] : isa_objects()) {
    for (const std::string& symbol : callable_functions(output_of("nm '" + object + "'"))) {
      FAIL_CHECK(object << ": " << symbol);
    }
#if !defined(__SANITIZE_ADDRESS__)  // it registers the globals of every object before main()
    for (const std::string& section : run_at_start(output_of("readelf --wide --section-headers '" + object + "'"))) {
      FAIL_CHECK(object << ": " << section);
    }
#endif
  }
}

// Without optimization, their inline functions would be symbols that the linker merges between objects. With
// contraction to FMA, vector loops and tails could round differently.
TEST_CASE("objects compiled for one instruction set are optimized in every build type, without contraction to FMA") {
  std::ifstream commands(TEMPER_COMPILE_COMMANDS);
  REQUIRE(commands.is_open());
  int units = 0;
  for (std::string line; std::getline(commands, line);) {
    if (line.find("\"command\"") == std::string::npos || line.find("-DTEMPER_ISA=") == std::string::npos) continue;
    ++units;
    const std::size_t level = line.rfind(" -O");  // the last one counts
    REQUIRE(level != std::string::npos);
    CHECK(line.substr(level, 5) == " -O2 ");
    const std::size_t contract = line.rfind(" -ffp-contract=");
    REQUIRE(contract != std::string::npos);
    CHECK(line.substr(contract, 19) == " -ffp-contract=off ");
    CHECK(line.rfind("-ffast-math") == std::string::npos);
  }
  CHECK(units >= 30);
}

TEST_CASE("untagged symbols are detected") {
  const auto count = [](const char* listing) { return untagged_symbols(listing, "avx2").size(); };
  CHECK(count("0000000000000000 W _ZSt3maxIfERKT_S2_S2_\n") == 1);        // an inline function that was not inlined
  CHECK(count("0000000000000010 T _ZN6temper7kernels4fillEPfl\n") == 1);  // outside the namespace of its set
  CHECK(count("0000000000000000 u _ZZ4onceE5value\n") == 1);
  CHECK(count("0000000000000000 V _ZTV5Thing\n") == 1);
  CHECK(count("0000000000000010 T _ZN6temper7kernels6avx5124fillEPfl\n") == 1);  // of another set
  CHECK(count("0000000000000010 T _ZN6temper7kernels4avx24fillEPfl\n") == 0);
  CHECK(count("0000000000000000 W _ZN5xsimd3expINS_4fma3INS_4avx2EEEEEvv\n") == 0);
  CHECK(count("0000000000000010 t _ZN12_GLOBAL__N_15localEv\n0000000000000000 r constant\n") == 0);
  CHECK(count("0000000000000000 V DW.ref.__gxx_personality_v0\n") == 0);
  CHECK(count("                 U expf\n                 w __gmon_start__\n") == 0);
}

TEST_CASE("code that other objects can call is detected") {
  CHECK(callable_functions("0000000000004720 T _ZN6temper7kernels6avx51210fill_tableERNS0_8IsaTableE\n").size() == 1);
  CHECK(callable_functions("0000000000000000 i _ZN6temper7kernels6avx5126chosenEv\n").size() == 1);
  CHECK(callable_functions("0000000000000000 D _ZN6temper7kernels6avx5125partsE\n").empty());
  CHECK(callable_functions("0000000000000010 t _ZN12_GLOBAL__N_15localEv\n                 U expf\n").empty());
  CHECK(run_at_start("  [ 9] .init_array       INIT_ARRAY      0000000000000000 0013f0 000008 08  WA  0   0  8\n")
            .size() == 1);
  CHECK(run_at_start("  [ 4] .ctors.00100      PROGBITS        0000000000000000 0013f0 000008 08  WA  0   0  8\n")
            .size() == 1);
  CHECK(run_at_start("  [ 1] .text             PROGBITS        0000000000000000 000040 004d3e 00  AX  0   0 16\n")
            .empty());
}
