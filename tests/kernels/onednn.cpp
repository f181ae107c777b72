#include "framework/kernels/onednn.hpp"

#include <cstdlib>
#include <filesystem>
#include <thread>

#include <temper/core/errors.hpp>
#include <temper/core/pool.hpp>

#include "framework/kernels/conv.hpp"
#include "framework/kernels/matmul.hpp"
#include "onednn_reference.hpp"
#include "tests/slow.hpp"

using namespace reference;
namespace kernels = temper::kernels;
namespace onednn = temper::kernels::onednn;

namespace {

Floats product(Index n) {
  const Floats a(static_cast<std::size_t>(n * n), 0.5f), b(a.size(), 2.0f);
  Floats y(a.size());
  kernels::matmul({.m = n, .n = n, .k = n}, a.data(), b.data(), nullptr, y.data());
  return y;
}

/// Runs the test case of this name in its own process with these environment variables.
bool passes(const std::string& environment, const std::string& test) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe");
  const std::string command =
      "env " + environment + " timeout 60 '" + program + "' --no-skip --test-case='" + test + "' | grep -q '1 passed'";
  return std::system(command.c_str()) == 0;
}

}  // namespace

TEST_CASE("child: two threads wanted" * doctest::skip()) {
  // Large enough that oneDNN plans for all threads it expects.
  for (int i = 0; i < 20; ++i) CHECK(product(96).front() == 96.0f);
  const kernels::Conv2d s{.n = 4, .h = 16, .w = 16, .in = 16, .out = 16, .kernel_h = 3, .kernel_w = 3};
  const Floats x(4 * 16 * 16 * 16, 1.0f), dy(4 * 14 * 14 * 16, 1.0f);
  Floats dw(static_cast<std::size_t>(s.weights()));
  for (int i = 0; i < 20; ++i) kernels::conv2d_backward_weights(s, x.data(), dy.data(), dw.data(), false);
  CHECK(dw.front() == 4.0f * 14 * 14);
  std::thread([] { CHECK(product(96).front() == 96.0f); }).join();
}

TEST_CASE("no OpenMP setting makes oneDNN wait for threads that do not exist") {
  const std::string child = "child: two threads wanted";
  CHECK(passes("OMP_NUM_THREADS=2", child));
  CHECK(passes("OMP_NUM_THREADS=8 OMP_DYNAMIC=true", child));
  CHECK(passes("OMP_NUM_THREADS=2 OMP_THREAD_LIMIT=1", child));
  CHECK(passes("OMP_NUM_THREADS=8 OMP_THREAD_LIMIT=3", child));
  CHECK(passes("OMP_NUM_THREADS=2 OMP_MAX_ACTIVE_LEVELS=0", child));
  CHECK_FALSE(passes("OMP_NUM_THREADS=2", "child: no such test"));
}

TEST_CASE("a program is compiled once per shape and number of threads") {
  std::thread([] {
    const Threads threads(1);
    for (int i = 0; i < 3; ++i) CHECK(product(21) == Floats(21 * 21, 21.0f));
    CHECK(onednn::kept_programs() == 1);
    const Threads more(2);
    CHECK(product(21) == Floats(21 * 21, 21.0f));
    CHECK(onednn::kept_programs() == 2);
  }).join();
}

TEST_CASE("the cache of programs has a limit of bytes, and evicts the least recently used ones") {
  constexpr auto f32 = static_cast<Index>(onednn::Type::f32);
  std::thread([] {
    const std::size_t limit = onednn::kept_limit(), before = onednn::kept_bytes();
    CHECK(limit > std::size_t{16} << 20);
    CHECK(limit <= std::size_t{1} << 30);
    CHECK(onednn::kept_programs() == 0);
    const Floats a(1, 3.0f), b(300, 2.0f);
    const auto multiply = [&](Index n) {
      Floats y(static_cast<std::size_t>(n));
      kernels::matmul({.m = 1, .n = n, .k = 1}, a.data(), b.data(), nullptr, y.data());
      CHECK(y == Floats(y.size(), 6.0f));
    };
    const auto key = [](Index n) { return onednn::Key(onednn::Op::matmul, {1, n, 1, 1, 0, 0, 0, 0, 0, f32, f32}); };
    multiply(1);
    const std::size_t one = onednn::kept_bytes() - before;
    CHECK(one >= std::size_t{32} << 10);
    onednn::set_kept_limit(before + 100 * one);
    for (Index n = 2; n <= 300; ++n) {
      multiply(n);
      multiply(1);  // stays
      CHECK(onednn::kept_bytes() <= onednn::kept_limit());
    }
    // As many as fit, the last ones: they differ a little in size, as oneDNN gives some of them a scratchpad.
    const auto last_dropped = 301 - static_cast<Index>(onednn::kept_programs());
    std::size_t sum = 0, largest = 0;
    for (Index n = 1; n <= 300; ++n) {
      const onednn::Program* program = onednn::find(key(n));
      CHECK((program != nullptr) == (n == 1 || n > last_dropped));
      if (program != nullptr) sum += program->kept_bytes(), largest = std::max(largest, program->kept_bytes());
    }
    CHECK(sum == onednn::kept_bytes() - before);
    CHECK(onednn::kept_bytes() + largest > onednn::kept_limit());
    temper::trim_pool();
    CHECK(onednn::kept_programs() == 0);
    CHECK(onednn::kept_bytes() == before);
    multiply(7);
    onednn::set_kept_limit(limit);
  }).join();
}

TEST_CASE("keys differ in every number, in their count and in the operation") {
  using onednn::Key;
  using onednn::Op;
  const Key key(Op::matmul, {1, 2, 3});
  CHECK(key == Key(Op::matmul, {1, 2, 3}));
  CHECK(key.hash() == Key(Op::matmul, {1, 2, 3}).hash());
  CHECK_FALSE(key == Key(Op::matmul, {1, 2, 4}));
  CHECK_FALSE(key == Key(Op::matmul, {1, 2, 3, 0}));
  CHECK_FALSE(key == Key(Op::conv_forward, {1, 2, 3}));
  CHECK(Key(Op::matmul, {1, 2}).hash() != Key(Op::matmul, {2, 1}).hash());
}

TEST_CASE("several threads at once") {
  std::vector<std::thread> all;
  std::vector<int> wrong(4);
  for (std::size_t i = 0; i < wrong.size(); ++i) {
    all.emplace_back([&wrong, i] {
      for (int round = 0; round < 50; ++round) {
        const Index n = 10 + round % 7;
        if (product(n) != Floats(static_cast<std::size_t>(n * n), static_cast<float>(n))) ++wrong[i];
      }
    });
  }
  for (std::thread& thread : all) thread.join();
  CHECK(wrong == std::vector<int>(4));
}

TEST_CASE("an error of oneDNN becomes a temper::Error with its text") {
  const onednn::Key key(onednn::Op::matmul, {-1});
  CHECK_THROWS_AS(onednn::run(key, {nullptr, nullptr, nullptr},
                              [](onednn::Program& program) {
                                const auto a = onednn::dense({2, 3}), b = onednn::dense({4, 5});
                                program.add("matmul", onednn::describe<dnnl::matmul>(onednn::attributes(), a, b, a),
                                            {});
                              }),
                  temper::Error);
  CHECK(onednn::find(key) == nullptr);
}

TEST_CASE("the version names library and instruction set") {
  CHECK(kernels::onednn_version().find(std::to_string(DNNL_VERSION_MAJOR) + ".") == 0);
  CHECK(kernels::onednn_version().find('(') != std::string::npos);
}

TEST_CASE("oneDNN's reference implementations are recognized by name") {
  product(3);
  CHECK_FALSE(onednn::implementations().empty());
  CHECK(temper::test::slow_implementations({"matmul brg:avx512_core", "convolution jit:avx2", "reference jit:uni"})
            .empty());
  const std::set<std::string> slow = {"matmul ref:any", "convolution gemm:ref", "batch normalization nchw_ref:any"};
  CHECK(temper::test::slow_implementations(slow).size() == 3);
}

TEST_CASE("child: a reduction over the first axis" * doctest::skip()) {
  // oneDNN uses a reference implementation here, so sum_rows() is a kernel of Temper's.
  const Floats x(6 * 5, 1.0f);
  Floats y(5);
  onednn::run(onednn::Key(onednn::Op::matmul, {-2}), {x.data(), y.data()}, [](onednn::Program& program) {
    const auto from = onednn::dense({6, 5}), to = onednn::dense({1, 5});
    const int source = program.operand(from), result = program.operand(to);
    program.add(
        "reduction",
        onednn::describe<dnnl::reduction>(onednn::attributes(), dnnl::algorithm::reduction_sum, from, to, 0.0f, 0.0f),
        {{DNNL_ARG_SRC, source}, {DNNL_ARG_DST, result}});
  });
  CHECK(y == Floats(5, 6.0f));
}

TEST_CASE("a test program that made a reference primitive fails, even when its tests pass") {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe");
  const auto succeeds = [&](const std::string& test, const std::string& and_then) {
    const std::string command = "'" + program + "' --no-skip --test-case='" + test + "' 2>/dev/null" + and_then;
    return std::system(command.c_str()) == 0;
  };
  CHECK(succeeds("child: a reduction over the first axis", " | grep -q '1 passed'"));
  CHECK_FALSE(succeeds("child: a reduction over the first axis", " >/dev/null"));
  CHECK(succeeds("keys differ in every number*", " >/dev/null"));
}
