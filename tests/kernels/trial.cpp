#include "framework/kernels/onednn_trial.hpp"

#include <cstdio>

#include <temper/core/errors.hpp>

#include "framework/kernels/conv_internal.hpp"
#include "framework/kernels/matmul_internal.hpp"
#include "onednn_reference.hpp"

using namespace reference;
namespace kernels = temper::kernels;
namespace onednn = temper::kernels::onednn;
using onednn::Program;
using onednn::TrialArray;
using onednn::Type;

namespace {

constexpr Index size = 48;

/// Ways to copy 48 numbers, most of them wrong. Operands: from, to.
enum class Copy { right, wrong_place, too_many, too_few, into_input, past_temporary, past_workspace, throws };

void reorder(Program& program, int from, int to, Index count) {
  const auto numbers = onednn::dense({count});
  const dnnl::reorder::primitive_desc description(onednn::engine(), numbers, onednn::engine(), numbers,
                                                  onednn::attributes());
  program.add("copy", description, {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
}

void compile_copy(Program& program, Copy copy) {
  const auto numbers = onednn::dense({size});
  const int from = program.operand(numbers), to = program.operand(numbers);
  switch (copy) {
    case Copy::right: return reorder(program, from, to, size);
    case Copy::wrong_place: {  // the two halves exchanged
      const dnnl::memory::desc even({2, size / 2}, Type::f32, dnnl::memory::dims{size / 2, 1});
      const dnnl::memory::desc odd({2, size / 2}, Type::f32, dnnl::memory::dims{1, 2});
      program.add("copy",
                  dnnl::reorder::primitive_desc(onednn::engine(), even, onednn::engine(), odd, onednn::attributes()),
                  {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
      return;
    }
    case Copy::too_many: return reorder(program, from, to, size + 5);
    case Copy::too_few: return reorder(program, from, to, size - 1);
    case Copy::into_input:
      reorder(program, from, to, size);
      program.add(
          "scaled",
          onednn::describe<dnnl::binary>(onednn::attributes(), dnnl::algorithm::binary_add, numbers, numbers, numbers),
          {{DNNL_ARG_SRC_0, from}, {DNNL_ARG_SRC_1, from}, {DNNL_ARG_DST, from}});
      return;
    case Copy::past_temporary:
    case Copy::past_workspace: {
      const int between = program.temporary(onednn::dense({16}));
      if (copy == Copy::past_temporary) program.temporary(onednn::dense({1000}));
      reorder(program, from, between, size);
      return reorder(program, from, to, size);
    }
    case Copy::throws: throw dnnl::error(dnnl_unimplemented, "not this one");
  }
}

class CopyTask : public onednn::Task {
 public:
  CopyTask(Index number, std::vector<Copy> ways) : number_(number), ways_(std::move(ways)) {}
  onednn::Key key() const override { return onednn::Key(onednn::Op::matmul, {-100, number_}); }
  bool compile(Program& program, int number) const override {
    if (number >= static_cast<int>(ways_.size())) return false;
    compile_copy(program, ways_[static_cast<std::size_t>(number)]);
    program.name_for_tests("copy " + std::to_string(number));
    return true;
  }
  bool right(Program& program) const override {
    onednn::WholeNumbers numbers(1, Type::f32, Type::f32);
    const std::vector<float> values = numbers.first(size);
    std::vector<TrialArray> arrays;
    arrays.emplace_back(Type::f32, values);
    arrays.emplace_back(Type::f32, size);
    return onednn::behaves(program, arrays) && arrays.back().values() == values;
  }

 private:
  Index number_;
  std::vector<Copy> ways_;
};

Program chosen(Index number, std::vector<Copy> ways) {
  const CopyTask task(number, std::move(ways));
  return onednn::choose(task, task);
}

}  // namespace

TEST_CASE("a trial notices wrong results, missing ones, and every write outside") {
  Index number = 0;
  CHECK(chosen(++number, {Copy::right}).implementation() == "copy 0");
  for (const Copy wrong : {Copy::wrong_place, Copy::too_many, Copy::too_few, Copy::into_input, Copy::past_temporary,
                           Copy::past_workspace}) {
    CAPTURE(static_cast<int>(wrong));
    CHECK(chosen(++number, {wrong}).empty());
    CHECK(chosen(++number, {wrong, Copy::right}).implementation() == "copy 1");
    CHECK(chosen(++number, {wrong, wrong, Copy::right, Copy::wrong_place}).implementation() == "copy 2");
  }
  CHECK(chosen(++number, {}).empty());
  CHECK(chosen(++number, {Copy::throws}).empty());
}

TEST_CASE("the arrays of a trial hold whole numbers of either type, and know when they have changed") {
  onednn::WholeNumbers numbers(100, Type::bf16, Type::f32);
  const std::vector<float> values = numbers.first(size);
  CHECK(std::ranges::min(values) < 0);
  CHECK(std::ranges::max(values) > 0);
  for (const Type type : {Type::f32, Type::bf16}) {
    TrialArray array(type, values), result(type, size);
    CHECK(array.values() == values);
    CHECK(array.unchanged());
    static_cast<std::byte*>(const_cast<void*>(array.data()))[size * 2 - 1] ^= std::byte{1};
    CHECK_FALSE(array.unchanged());
    CHECK(std::ranges::all_of(result.values(), [](float value) { return std::isnan(value); }));
    CHECK_FALSE(result.fences_hold());  // it has those of an operand
    result.becomes_result();
    CHECK(result.fences_hold());
  }
}

TEST_CASE("an implementation is tried once in a class of shapes, and what was found stays") {
  const auto made = [] { return onednn::trials().size(); };
  const std::size_t before = made();
  for (int i = 0; i < 3; ++i) CHECK(chosen(1000, {Copy::too_few, Copy::right}).implementation() == "copy 1");
  CHECK(made() == before + 2);
  CHECK(chosen(1001, {Copy::right}).implementation() == "copy 0");
  CHECK(made() == before + 3);
}

TEST_CASE("a caller whose task oneDNN does wrongly is told so, also the next time") {
  const CopyTask task(2000, {Copy::wrong_place});
  const Floats from(size, 1.0f);
  Floats to(size, 5.0f);
  const auto run = [&] {
    return onednn::run(task.key(), {from.data(), to.data()},
                       [&](Program& program) { program = onednn::choose(task, task); });
  };
  CHECK_FALSE(run());
  CHECK_FALSE(run());
  CHECK(to == Floats(size, 5.0f));
}

TEST_CASE("workspaces are watched in tests") {
  Program program;
  compile_copy(program, Copy::past_workspace);
  const Floats from(size, 1.0f);
  Floats to(size);
  const void* operands[] = {from.data(), to.data()};
  CHECK_THROWS_AS(onednn::execute(program, operands), temper::Error);
}

TEST_CASE("a wrong product and a wrong convolution are noticed wherever the mistake is") {
  // The program gets the right operands, but its result is compared with that of another task.
  const Type f32 = Type::f32;
  const auto passes = [](const onednn::Task& done, const onednn::Task& wanted) {
    Program program(std::size_t{1} << 18);
    REQUIRE(done.compile(program, 0));
    return wanted.right(program);
  };
  const kernels::Matmul product{.m = 20, .n = 20, .k = 20, .transpose_b = true};
  const kernels::ProductTask right(product, true, f32, f32);
  CHECK(passes(right, right));
  const auto other = [&](auto change) {
    kernels::Matmul shape = product;
    change(shape);
    return kernels::ProductTask(shape, true, f32, f32);
  };
  CHECK_FALSE(passes(other([](auto& s) { s.transpose_b = false; }), right));
  CHECK_FALSE(passes(other([](auto& s) { s.transpose_a = true; }), right));
  CHECK_FALSE(passes(other([](auto& s) { s.k = 19; }), right));
  CHECK_FALSE(passes(other([](auto& s) { s.m = 19; }), right));
  CHECK_FALSE(passes(other([](auto& s) { s.accumulate = true; }), right));
  CHECK_FALSE(passes(kernels::ProductTask(product, false, f32, f32), right));

  const kernels::Conv2d image{
      .n = 2, .h = 6, .w = 6, .in = 5, .out = 5, .kernel_h = 3, .kernel_w = 3, .padding_h = 1, .padding_w = 1};
  using onednn::Op;
  for (const Op op : {Op::conv_forward, Op::conv_backward_data, Op::conv_backward_weights}) {
    const kernels::ConvTask convolution(op, image, false, f32, f32);
    CHECK(passes(convolution, convolution));
    kernels::Conv2d changed = image;
    changed.padding_h = changed.padding_w = changed.dilation_h = changed.dilation_w = 2;
    CHECK_FALSE(passes(kernels::ConvTask(op, changed, false, f32, f32), convolution));
    changed = image;
    changed.n = 1;
    CHECK_FALSE(passes(kernels::ConvTask(op, changed, false, f32, f32), convolution));
    if (op == Op::conv_backward_data) continue;
    CHECK_FALSE(passes(kernels::ConvTask(op, image, true, f32, f32), convolution));
  }
}

TEST_CASE("a task's small one is of its class: it has the remainders, and is no task of its own when it is small") {
  CHECK(onednn::shrunk(128, 128, 64) == 128);
  CHECK(onednn::shrunk(129, 128, 64) == 65);
  CHECK(onednn::shrunk(4096, 128, 64) == 64);
  const kernels::ConvTask tiny(onednn::Op::conv_forward, {.n = 2, .h = 8, .w = 8, .in = 3, .out = 5}, true, Type::f32,
                               Type::f32);
  CHECK(tiny.small().key() == tiny.key());
  const kernels::ConvTask large(onednn::Op::conv_forward,
                                {.n = 256,
                                 .h = 225,
                                 .w = 225,
                                 .in = 515,
                                 .out = 1030,
                                 .kernel_h = 3,
                                 .kernel_w = 3,
                                 .stride_h = 2,
                                 .stride_w = 2},
                                true, Type::f32, Type::f32);
  const kernels::ConvTask its(
      onednn::Op::conv_forward,
      {.n = 2, .h = 9, .w = 97, .in = 67, .out = 70, .kernel_h = 3, .kernel_w = 3, .stride_h = 2, .stride_w = 2}, true,
      Type::f32, Type::f32);
  CHECK(large.small().key() == its.key());
  // Where this would take long, sides and channels are still smaller.
  const auto of = [](const kernels::Conv2d& s) {
    return kernels::ConvTask(onednn::Op::conv_forward, s, false, Type::f32, Type::f32);
  };
  const auto wide = [&](Index n, Index h, Index w, Index in, Index out, Index kernel) {
    return of({.n = n,
               .h = h,
               .w = w,
               .in = in,
               .out = out,
               .kernel_h = kernel,
               .kernel_w = kernel,
               .padding_h = kernel / 2,
               .padding_w = kernel / 2});
  };
  CHECK(wide(32, 56, 57, 128, 128, 3).small().key() == wide(2, 4, 25, 128, 128, 3).key());
  CHECK(wide(32, 55, 63, 127, 128, 5).small().key() == wide(2, 7, 31, 63, 32, 5).key());
}

TEST_CASE("print the trials of the models' convolutions and products" * doctest::skip()) {
  Random random(1);
  const auto convolution = [&](const kernels::Conv2d& s) {
    const Index pixels = s.n * s.out_h() * s.out_w();
    const Floats x = random.floats(s.n * s.h * s.w * s.in), weight = random.floats(s.weights());
    Floats y(static_cast<std::size_t>(pixels * s.out)), dx(x.size()), dw(weight.size());
    kernels::conv2d<float>(s, x.data(), weight.data(), nullptr, y.data());
    kernels::conv2d_backward_data<float>(s, y.data(), weight.data(), dx.data());
    kernels::conv2d_backward_weights<float, float>(s, x.data(), y.data(), dw.data(), true);
  };
  const auto kernel_of_3 = [&](Index n, Index side, Index in, Index out, Index stride) {
    convolution({.n = n,
                 .h = side,
                 .w = side,
                 .in = in,
                 .out = out,
                 .kernel_h = 3,
                 .kernel_w = 3,
                 .stride_h = stride,
                 .stride_w = stride,
                 .padding_h = 1,
                 .padding_w = 1});
  };
  kernel_of_3(128, 28, 1, 32, 1);
  kernel_of_3(128, 14, 32, 64, 1);
  for (const Index channels : {64, 128, 256, 512}) {
    kernel_of_3(8, 2048 / channels, channels, channels, 1);
    if (channels < 512) kernel_of_3(8, 2048 / channels, channels, 2 * channels, 2);
  }
  const auto product = [&](const kernels::Matmul& s) {
    const Floats a = random.floats(s.m * s.k), b = random.floats(s.k * s.n);
    Floats y(static_cast<std::size_t>(s.m * s.n));
    kernels::matmul(s, a.data(), b.data(), nullptr, y.data());
  };
  for (const auto& [in, out] : {std::pair<Index, Index>{384, 1152}, {384, 384}, {384, 1536}, {1536, 384}}) {
    product({.m = 1024, .n = out, .k = in, .transpose_b = true});
    product({.m = 1024, .n = in, .k = out});
    product({.m = out, .n = in, .k = 1024, .transpose_a = true, .accumulate = true});
  }
  double total = 0;
  for (const onednn::Trial& trial : onednn::trials()) {
    std::printf("%8.2f ms  %s  %s\n", trial.milliseconds, trial.right ? "right" : "WRONG",
                trial.implementation.c_str());
    total += trial.milliseconds;
  }
  std::printf("%8.2f ms  in all\n", total);
}
