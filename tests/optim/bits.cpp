// Updates have the same bits with any number of threads, instruction set, alignment and position.

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <temper/core/parallel.hpp>
#include <temper/optim/optim.hpp>

#include "framework/kernels/isa.hpp"
#include "optim/kernels/denormals.hpp"
#include "optim/kernels/table.hpp"
#include "tests/optim/near_internal.hpp"
#include "tests/optim/numbers_internal.hpp"

using namespace temper;
using namespace temper::optim;
using kernels::Isa;

namespace {

struct Restore {
  int threads_before = threads();
  ~Restore() {
    set_threads(threads_before);
    optim_kernels::use(kernels::isa());
  }
};

std::uint64_t hash(const std::vector<Parameter>& parameters) {
  std::uint64_t h = 0xcbf29ce484222325;  // FNV-1a over words
  for (const Parameter& parameter : parameters) {
    for (const float x : parameter.value().values<float>()) {
      std::uint32_t bits;
      std::memcpy(&bits, &x, 4);
      h = (h ^ bits) * 0x100000001b3;
    }
  }
  return h;
}

using Make = std::function<std::unique_ptr<Optimizer>(const std::vector<Parameter>&)>;

/// A hash of the parameters after some steps with the same random gradients. Each tensor starts at element `lead` of
/// its memory.
std::uint64_t train(const Make& make, const std::vector<std::int64_t>& sizes, int steps, std::int64_t lead = 0) {
  Numbers numbers;
  std::vector<Parameter> parameters;
  const auto filled = [&](std::int64_t n) {
    Tensor x = empty({lead + n}).rows(lead, lead + n);
    for (float& value : x.mutable_values<float>()) value = numbers();
    return x;
  };
  for (const std::int64_t n : sizes) parameters.emplace_back(filled(n), Role::weight);
  const auto optimizer = make(parameters);
  for (int step = 0; step < steps; ++step) {
    for (Parameter& parameter : parameters) parameter.set_gradient(filled(parameter.shape()[0]));
    optimizer->step();
  }
  return hash(parameters);
}

template <class T, class Options>
Make make(Options options) {
  return [=](const std::vector<Parameter>& parameters) { return std::make_unique<T>(Groups(parameters), options); };
}

const Schedule schedule = 1e-2 * warmup(2).then(cosine(8));

std::vector<std::pair<std::string, Make>> configurations() {
  return {
      {"sgd", make<SGD>(SGDOptions{.lr = schedule, .l2 = 0.01})},
      {"sgd momentum", make<SGD>(SGDOptions{.lr = schedule, .momentum = 0.9, .nesterov = true, .clip_norm = 1.0})},
      {"sgdw", make<SGDW>(SGDWOptions{.lr = schedule, .momentum = 0.9, .dampening = 0.1, .weight_decay = 0.1})},
      {"sgdw torch", make<SGDW>(SGDWOptions{
                         .lr = schedule, .momentum = 0.9, .weight_decay = 0.1, .rounding = Rounding::torch_compat})},
      {"sgdw compensated",
       make<SGDW>(
           SGDWOptions{.lr = schedule, .momentum = 0.9, .weight_decay = 0.1, .rounding = Rounding::compensated})},
      {"adam", make<Adam>(AdamOptions{.lr = schedule, .l2 = 0.01, .clip_norm = 1.0})},
      {"adam amsgrad", make<Adam>(AdamOptions{.lr = schedule, .amsgrad = true, .maximize = true})},
      {"adamw", make<AdamW>(AdamWOptions{.lr = schedule, .clip_norm = 1.0})},
      {"adamw torch", make<AdamW>(AdamWOptions{.lr = schedule, .amsgrad = true, .rounding = Rounding::torch_compat})},
      {"adamw compensated",
       make<AdamW>(AdamWOptions{.lr = schedule, .amsgrad = true, .rounding = Rounding::compensated})},
      {"adamw bf16", make<AdamW>(AdamWOptions{.lr = schedule, .clip_norm = 1.0, .moments = Moments::bf16, .seed = 5})},
      {"adamw 8 bits", make<AdamW>(AdamWOptions{.lr = schedule, .clip_norm = 1.0, .moments = Moments::bits8})},
      {"nadam", make<NAdam>(NAdamOptions{.lr = schedule, .l2 = 0.01})},
      {"radam", make<RAdam>(RAdamOptions{.lr = schedule})},
      {"adamax", make<Adamax>(AdamaxOptions{.lr = schedule})},
      {"adagrad", make<Adagrad>(AdagradOptions{.lr = schedule, .initial = 0.1})},
      {"rmsprop", make<RMSprop>(RMSpropOptions{.lr = schedule})},
      {"rmsprop centered", make<RMSprop>(RMSpropOptions{.lr = schedule, .momentum = 0.9, .centered = true})},
      {"lion", make<Lion>(LionOptions{.lr = schedule, .weight_decay = 0.1, .clip_norm = 1.0})},
      {"lamb", make<LAMB>(LAMBOptions{.lr = schedule, .clip_norm = 1.0})},
      {"nadamw", make<AdamW>(AdamWOptions{.lr = schedule, .nesterov = true, .clip_norm = 1.0})},
      {"nadamw bf16", make<AdamW>(AdamWOptions{.lr = schedule, .nesterov = true, .moments = Moments::bf16})},
      {"nadam 8 bits",
       make<Adam>(AdamOptions{.lr = schedule, .l2 = 0.01, .nesterov = true, .moments = Moments::bits8})},
      {"cautious adamw", make<AdamW>(AdamWOptions{.lr = schedule,
                                                  .nesterov = true,
                                                  .cautious = true,
                                                  .cautious_decay = true,
                                                  .rounding = Rounding::compensated})},
      {"cautious sgdw",
       make<SGDW>(SGDWOptions{.lr = schedule, .momentum = 0.9, .cautious = true, .weight_decay = 0.1})},
      {"cautious lion", make<Lion>(LionOptions{.lr = schedule, .weight_decay = 0.1, .cautious = true})},
      {"ademamix", make<AdEMAMix>(AdEMAMixOptions{.lr = schedule, .cautious_decay = true})},
      {"adopt", make<ADOPT>(ADOPTOptions{.lr = schedule})},
      {"adadelta", make<Adadelta>(AdadeltaOptions{.l2 = 0.01})},
      {"rprop", make<Rprop>(RpropOptions{})},
      {"lars", make<LARS>(LARSOptions{.lr = schedule, .weight_decay = 0.1})},
      {"schedule free", make<ScheduleFree>(ScheduleFreeOptions{.lr = schedule, .weight_decay = 0.1})},
      {"schedule free sgd", make<ScheduleFreeSGD>(ScheduleFreeSGDOptions{.lr = schedule})},
      {"prodigy", make<Prodigy>(ProdigyOptions{.weight_decay = 0.1})},
      {"adamw compensated plain", make<AdamW>(AdamWOptions{.lr = schedule, .rounding = Rounding::compensated})},
  };
}

}  // namespace

TEST_CASE("the same bits with any number of threads and any instruction set") {
  const Restore restore;
  const std::vector<std::int64_t> sizes = {3, 20000, 0, 17, 8192, 1, 8193, 64, 5000, 5000};
  constexpr int steps = 4;
  std::uint64_t all = 0;
  for (const auto& entry : configurations()) {
    const auto& [name, make] = entry;
    CAPTURE(entry.first);
    set_threads(1);
    optim_kernels::use(kernels::all_isas().front());
    const std::uint64_t expected = train(make, sizes, steps);
    int count = 4;
    for (const Isa isa : kernels::supported_isas()) {
      CAPTURE(kernels::to_string(isa));
      CAPTURE(count);
      optim_kernels::use(isa);
      set_threads(count--);
      CHECK(train(make, sizes, steps) == expected);
    }
    all = all * 0x100000001b3u + expected;
  }
  CHECK(all == 1134367383709471636u);  // recorded: SSE2, AVX2, AVX-512 and NEON give one hash
}

TEST_CASE("the hash of 100,003 parameters after 200 steps is the recorded one") {
  const Restore restore;
  const auto check = [](const Make& make, std::uint64_t expected, bool cut) {
    int count = 1;
    for (const Isa isa : kernels::supported_isas()) {
      optim_kernels::use(isa);
      set_threads(count++);
      CHECK(train(make, {100003}, 200) == expected);
    }
    CHECK(train(make, {100003}, 200, 3) == expected);
    if (cut) CHECK(train(make, {5, 40000, 1, 8191, 51806}, 200, 1) == expected);
  };
  // Recorded, so that other machines and compilers must give the same bits too.
  check(make<SGD>(SGDOptions{.lr = 1e-2, .momentum = 0.9, .nesterov = true, .l2 = 0.01}), 10626011555235162997u, true);
  check(make<Adam>(AdamOptions{.lr = 1e-3, .l2 = 0.01}), 2841700808110491614u, true);
  check(make<AdamW>(AdamWOptions{.lr = 1e-3}), 13908851191805582168u, true);
  // The norm is a sum over pieces, whose boundaries depend on the list of tensors.
  check(make<AdamW>(AdamWOptions{.lr = 1e-3, .clip_norm = 1.0}), 7066748465025868811u, false);
}

TEST_CASE("Adam and AdamW agree bit for bit without decay") {
  for (const bool amsgrad : {false, true}) {
    CHECK(train(make<Adam>(AdamOptions{.amsgrad = amsgrad}), {1000, 37}, 20) ==
          train(make<AdamW>(AdamWOptions{.weight_decay = 0.0, .amsgrad = amsgrad}), {1000, 37}, 20));
  }
  CHECK(train(make<SGD>(SGDOptions{.lr = 0.1, .momentum = 0.9}), {1000, 37}, 20) ==
        train(make<SGDW>(SGDWOptions{.lr = 0.1, .momentum = 0.9}), {1000, 37}, 20));
  CHECK(train(make<Adam>(AdamOptions{.l2 = 0.1}), {1000}, 3) != train(make<Adam>(AdamOptions{}), {1000}, 3));
}

TEST_CASE("every size and alignment equals the scalar reference, and nothing else is overwritten") {
  const optim_kernels::FlushDenormals flush;  // as in a step
  const optim_kernels::AdamScalars s{.scale = 0.7f,
                                     .l2 = 0.01f,
                                     .beta1 = 0.9f,
                                     .rest1 = 0.1f,
                                     .beta2 = 0.999f,
                                     .rest2 = 0.001f,
                                     .root = 3.1f,
                                     .eps = 1e-8f,
                                     .rate = 1e-3f,
                                     .decay = 1e-5f};
  const optim_kernels::SgdScalars t{.scale = 0.7f,
                                    .l2 = 0.01f,
                                    .keep = 0.9f,
                                    .take = 0.5f,
                                    .direct = 1.0f,
                                    .through = 0.9f,
                                    .lr = 0.1f,
                                    .decay = 1e-4f};
  constexpr std::size_t columns = 4;  // p, g, m, v
  constexpr std::size_t guard = 32;
  constexpr float untouched = 12345.678f;
  std::vector<std::size_t> sizes;
  for (std::size_t n = 0; n <= 257; ++n) sizes.push_back(n);
  sizes.insert(sizes.end(), {1023, 4097, 8192, 16385, 65537, (1 << 20) + 3});

  using Columns = std::array<std::vector<float>, columns>;
  Columns start;
  Numbers numbers;
  for (auto& column : start) {
    column.resize(sizes.back());
    for (float& x : column) x = numbers();
  }
  for (float& x : start[3]) x = std::abs(x);  // second moments are not negative

  for (const std::size_t n : sizes) {
    for (const bool adam : {true, false}) {
      Columns expected;
      for (std::size_t c = 0; c < columns; ++c) {
        expected[c].assign(start[c].begin(), start[c].begin() + static_cast<std::ptrdiff_t>(n));
      }
      auto& [p, g, m, v] = expected;
      for (std::size_t i = 0; i < n; ++i) {
        if (adam) {
          const float gradient = s.scale * g[i] + s.l2 * p[i];
          m[i] = s.beta1 * m[i] + s.rest1 * gradient;
          v[i] = s.beta2 * v[i] + (s.rest2 * gradient) * gradient;
          p[i] = p[i] - (s.rate * (m[i] / (std::sqrt(v[i]) * s.root + s.eps)) + s.decay * p[i]);
        } else {
          const float gradient = t.scale * g[i] + t.l2 * p[i];
          m[i] = t.keep * m[i] + t.take * gradient;
          p[i] = p[i] - (t.lr * (t.direct * gradient + t.through * m[i]) + t.decay * p[i]);
        }
      }
      for (const Isa isa : kernels::supported_isas()) {
        const optim_kernels::Table& table = optim_kernels::table_of(isa);
        for (std::size_t shift = 0; shift < 16; ++shift) {
          // Pool memory is aligned to cache lines; each column has another offset from that.
          std::array<Tensor, columns> memory;
          std::array<float*, columns> at;
          const auto lead = [&](std::size_t c) { return guard + (shift + 5 * c) % 16; };
          for (std::size_t c = 0; c < columns; ++c) {
            memory[c] = full({static_cast<std::int64_t>(n + 2 * guard + 16)}, untouched);
            at[c] = memory[c].mutable_data<float>() + lead(c);
            std::copy_n(start[c].begin(), n, at[c]);
          }
          const auto count = static_cast<std::int64_t>(n);
          if (adam) {
            table.adam(s, {at[0], at[1], at[2], at[3], nullptr, nullptr}, count);
          } else {
            table.sgd(t, {at[0], at[1], at[2], nullptr}, count);
          }
          bool same = true, guarded = true;
          for (std::size_t c = 0; c < columns; ++c) {
            const auto all = memory[c].values<float>();
            const auto is_untouched = [](float x) { return x == untouched; };
            same = same && (n == 0 || std::memcmp(at[c], expected[c].data(), n * sizeof(float)) == 0);
            guarded = guarded && std::ranges::all_of(all.first(lead(c)), is_untouched) &&
                      std::ranges::all_of(all.subspan(lead(c) + n), is_untouched);
          }
          if (!same || !guarded) {
            FAIL_CHECK("size " << n << " shift " << shift << " " << kernels::to_string(isa) << " adam " << adam
                               << " same " << same << " guarded " << guarded);
          }
        }
      }
    }
  }
}

TEST_CASE("the norm has the same bits everywhere") {
  std::vector<float> x(20000);
  Numbers numbers;
  for (float& value : x) value = numbers();
  for (const std::int64_t n : {0, 1, 15, 31, 32, 33, 64, 100, 8192, 19999}) {
    const double expected = optim_kernels::table_of(kernels::all_isas().front()).sum_squares(x.data(), n);
    long double exact = 0;
    for (std::int64_t i = 0; i < n; ++i)
      exact += static_cast<long double>(x[static_cast<std::size_t>(i)]) * x[static_cast<std::size_t>(i)];
    CHECK(expected == near(static_cast<double>(exact), 1e-14));
    for (const Isa isa : kernels::supported_isas()) {
      for (std::int64_t shift = 0; shift < 16; ++shift) {
        std::vector<float> shifted(static_cast<std::size_t>(n + shift));
        std::copy_n(x.begin(), n, shifted.begin() + shift);
        CHECK(optim_kernels::table_of(isa).sum_squares(shifted.data() + shift, n) == expected);
      }
    }
  }
}
