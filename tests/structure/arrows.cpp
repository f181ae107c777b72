#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/structure/rules.hpp"

using namespace temper::structure;

namespace {

std::size_t broken_rules(std::string_view path, std::string_view text) { return violations(path, text).size(); }

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("every source file follows the rules of the project's structure") {
  const std::filesystem::path root = TEMPER_SOURCE_DIR;
  int files = 0;
  for (const char* top : {"framework", "optim", "models"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / top)) {
      const auto extension = entry.path().extension();
      if (extension != ".hpp" && extension != ".cpp") continue;
      ++files;
      for (const std::string& broken :
           violations(entry.path().lexically_relative(root).generic_string(), read(entry.path()))) {
        FAIL_CHECK(broken);
      }
    }
  }
  CHECK(files > 40);
}

TEST_CASE("includes of higher layers are detected") {
  CHECK(broken_rules("framework/core/a.cpp", "#include <temper/tensor/tensor.hpp>\n") == 1);
  CHECK(broken_rules("framework/core/a.cpp", "#include \"framework/kernels/a.hpp\"\n") == 1);
  CHECK(broken_rules("framework/kernels/a.cpp", "#include <temper/tensor/tensor.hpp>\n") == 1);
  CHECK(broken_rules("framework/kernels/isa/a.cpp", "#include \"../../tensor/tensor.hpp\"\n") == 1);
  CHECK(broken_rules("framework/tensor/a.cpp", "  #  include <temper/autograd/tape.hpp>\n") == 1);
  CHECK(broken_rules("framework/autograd/ops/a.cpp", "#include <temper/nn/module.hpp>\n") == 1);
  CHECK(broken_rules("framework/nn/a.cpp", "#include <temper/optim/adam.hpp>\n") == 1);
  CHECK(broken_rules("framework/nn/a.cpp", "#include <temper/data/loader.hpp>\n") == 1);
  CHECK(broken_rules("framework/data/a.cpp", "#include <temper/io/safetensors.hpp>\n") == 1);
  CHECK(broken_rules("framework/io/a.cpp", "#include <temper/train/print.hpp>\n") == 1);
  CHECK(broken_rules("framework/train/a.cpp", "#include <temper/models/cnn.hpp>\n") == 1);
  CHECK(broken_rules("framework/train/a.cpp", "#include <temper/temper.hpp>\n") == 1);
  CHECK(broken_rules("framework/temper.hpp", "#include <temper/models/cnn.hpp>\n") == 1);
  CHECK(broken_rules("framework/temper.hpp", "#include <temper/run/run.hpp>\n") == 1);
  CHECK(broken_rules("framework/temper.hpp", "#include <temper/distributed/group.hpp>\n") == 1);
  CHECK(broken_rules("framework/train/a.cpp", "#include <temper/distributed/group.hpp>\n") == 1);
  CHECK(broken_rules("framework/distributed/a.cpp", "#include <temper/run/run.hpp>\n") == 1);
  CHECK(broken_rules("framework/run/a.cpp", "#include <temper/models/cnn.hpp>\n") == 1);
  CHECK(broken_rules("optim/a.cpp", "#include \"framework/nn/module.hpp\"\n") == 1);
  CHECK(broken_rules("optim/kernels/a.cpp", "#include <temper/tensor/tensor.hpp>\n") == 1);
  CHECK(broken_rules("optim/kernels/a.cpp", "#include \"../adam.hpp\"\n") == 1);
  CHECK(broken_rules("framework/nn/a.cpp", "#include \"optim/kernels/sweep.hpp\"\n") == 1);
  CHECK(broken_rules("framework/misc/a.cpp", "") == 1);
  CHECK(broken_rules("framework/nn/a.cpp", "#include <temper/misc/a.hpp>\n") == 1);
}

TEST_CASE("includes of lower layers are allowed") {
  CHECK(broken_rules("framework/kernels/a.cpp",
                     "#include <temper/core/errors.hpp>\n#include \"framework/core/a_internal.hpp\"\n") == 0);
  CHECK(broken_rules("framework/autograd/ops/a.cpp",
                     "#include \"framework/kernels/a.hpp\"\n#include \"b_internal.hpp\"\n") == 0);
  CHECK(broken_rules("optim/a.cpp",
                     "#include \"optim/kernels/sweep.hpp\"\n#include <temper/autograd/parameter.hpp>\n") == 0);
  CHECK(broken_rules("optim/kernels/a.cpp", "#include \"framework/kernels/isa.hpp\"\n") == 0);
  CHECK(broken_rules("framework/io/a.cpp", "#include <temper/nn/module.hpp>\n#include <nlohmann/json.hpp>\n") == 0);
  CHECK(broken_rules("framework/run/a.hpp", "#include <temper/temper.hpp>\n") == 0);
  CHECK(broken_rules("framework/run/a.hpp", "#include <temper/distributed/group.hpp>\n") == 0);
  CHECK(broken_rules("models/cnn/train.cpp", "#include <temper/temper.hpp>\n#include \"models/cnn/cnn.hpp\"\n") == 0);
  CHECK(broken_rules("framework/core/a.cpp",
                     "// #include <temper/nn/module.hpp>\n/*\n#include <temper/nn/module.hpp>\n*/\n") == 0);
}

TEST_CASE("external libraries outside their folders are detected") {
  CHECK(broken_rules("framework/tensor/a.cpp", "#include <oneapi/dnnl/dnnl.hpp>\n") == 1);
  CHECK(broken_rules("optim/kernels/a.cpp", "#include <dnnl.hpp>\n") == 1);
  CHECK(broken_rules("framework/autograd/a.cpp", "#include <xsimd/xsimd.hpp>\n") == 1);
  CHECK(broken_rules("framework/nn/a.cpp", "#include <omp.h>\n") == 1);
  CHECK(broken_rules("framework/nn/a.cpp", "#pragma omp parallel for\n") == 1);
  CHECK(broken_rules("framework/core/pool.cpp", "void f() { _Pragma(\"omp parallel\") {} }\n") == 1);

  CHECK(broken_rules("framework/kernels/a.cpp", "#include <oneapi/dnnl/dnnl.hpp>\n#pragma omp parallel\n") == 0);
  CHECK(broken_rules("optim/kernels/isa/a.cpp", "#include <xsimd/xsimd.hpp>\n") == 0);
  CHECK(broken_rules("framework/core/parallel.cpp", "#include <omp.h>\n#pragma omp parallel\n") == 0);
}

TEST_CASE("instructions of one processor outside the folders of instruction sets are detected") {
  for (const char* line : {"#include <immintrin.h>\n", "#include <arm_neon.h>\n", "#include <cpuid.h>\n",
                           "void f(float* p) { _mm256_storeu_ps(p, x); }", "__m128 four;", "auto x = vld1q_f32(p);",
                           "bool f() { return __builtin_cpu_supports(\"avx2\"); }", "void f() { asm(\"\"); }"}) {
    CAPTURE(line);
    CHECK(broken_rules("framework/kernels/isa/pool.cpp", line) == 1);
    CHECK(broken_rules("optim/kernels/isa/sgd.cpp", line) == 1);
    CHECK(broken_rules("framework/core/a.cpp", line) == 1);
    CHECK(broken_rules("framework/kernels/isa/neon/vectors.hpp", line) == 0);
    CHECK(broken_rules("framework/kernels/isa/avx2/cpu.cpp", line) == 0);
    CHECK(broken_rules("framework/kernels/isa/x86.hpp", line) == 0);
  }
  CHECK(broken_rules("framework/core/a.cpp", "// _mm_pause()\nconst char* name = \"__m128\";") == 0);
}

TEST_CASE("code that does not belong in a public header is detected") {
  for (const char* library : {"fmt/format.h", "nlohmann/json.hpp", "zlib.h", "CLI/CLI.hpp", "Random123/philox.h"}) {
    const std::string line = std::string("#include <") + library + ">\n";
    CHECK(broken_rules("framework/nn/a.hpp", line) == 1);
    CHECK(broken_rules("framework/nn/a_internal.hpp", line) == 0);
    CHECK(broken_rules("framework/nn/a.cpp", line) == 0);
  }
  CHECK(broken_rules("framework/nn/a.hpp", "#pragma once\n#define TEMPER_LAYER(x) x\n") == 1);
  CHECK(broken_rules("framework/nn/a_internal.hpp", "#define TEMPER_LAYER(x) x\n") == 0);
  CHECK(broken_rules("framework/tensor/a.hpp", "#include \"framework/kernels/a.hpp\"\n") == 1);
  CHECK(broken_rules("framework/tensor/a.hpp", "#include \"framework/core/errors.hpp\"\n") == 1);
  CHECK(broken_rules("framework/tensor/a.hpp", "#include <temper/core/format_internal.hpp>\n") == 1);
  CHECK(broken_rules("framework/tensor/a.hpp",
                     "#pragma once\n#include <vector>\n#include <temper/core/errors.hpp>\n") == 0);
}

TEST_CASE("printing and exiting in the library are detected") {
  CHECK(broken_rules("framework/nn/a.cpp", "void f() { std::cout << 1; }") == 1);
  CHECK(broken_rules("optim/a.cpp", "void f() { printf(\"x\"); }") == 1);
  CHECK(broken_rules("framework/io/a.cpp", "void f() { fmt::print(\"x\"); }") == 1);
  CHECK(broken_rules("framework/train/a.cpp", "void f() { std::exit(1); }") == 1);
  CHECK(broken_rules("framework/core/a.cpp", "void f() { std::abort(); }") == 1);

  CHECK(broken_rules("framework/train/a.cpp", "void f() { std::fputs(\"x\", stderr); }") == 0);
  CHECK(broken_rules("framework/core/a.cpp", "void f() { std::snprintf(b, 1, \"std::cout exit(1)\"); }  // exit(1)") ==
        0);
}

TEST_CASE("parsing of numbers that depends on the locale is detected") {
  CHECK(broken_rules("optim/a.cpp", "bool f() { return std::sscanf(t, \"%lf\", &x) == 1; }") == 1);
  CHECK(broken_rules("framework/train/a.cpp", "double f() { return std::strtod(t, nullptr); }") == 1);
  CHECK(broken_rules("models/cnn/a.cpp", "double f() { return std::stod(t); }") == 1);
  CHECK(broken_rules("framework/io/a.cpp", "void f() { std::from_chars(a, b, x); restored(x); }") == 0);
}

TEST_CASE("comments and string literals are distinguished") {
  CHECK(without_comments("a // b\nc") == "a \nc");
  CHECK(without_comments("a /* b\n */ c") == "a   c");
  CHECK(without_comments("f(\"// no\", '\"', 1'000); // yes") == "f(\"// no\", '\"', 1'000); ");
  CHECK(without_comments("R\"x(\" // )\" )x\" // yes") == "R\"x(\" // )\" )x\" ");
  CHECK(without_comments("f(\"a\\\"b\")", true) == "f(\"\")");
}
