#include <doctest/doctest.h>

#include <fmt/format.h>

#include <array>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/core/version.hpp>
#include <temper/train/info.hpp>
#include <temper/train/metrics.hpp>
#include <temper/train/print.hpp>
#include <temper/train/progress.hpp>

using namespace temper;

namespace {

/// Two batches of logits and labels, with the interface of a loader.
struct Batches {
  std::vector<std::array<Tensor, 2>> batches;
  auto begin() { return batches.begin(); }
  auto end() { return batches.end(); }
};

}  // namespace

TEST_CASE("text is formatted from erased arguments") {
  CHECK(detail::format_erased("{} {:.2f} {:>4} {} {} {}", {1.5f, 2.0 / 3.0, 7, "text", Shape{2, 3}, true}) ==
        "1.5 0.67    7 text [2, 3] true");
  CHECK(formatted("{:.9g} of {}", 0x1p-30f, 4) == "9.31322575e-10 of 4");
  CHECK(detail::format_erased("{}", {from({1, 2}, {2})}) == "[1, 2] f32 [2]");
  CHECK_THROWS_WITH_AS(detail::format_erased("{} {}", {1}),
                       doctest::Contains("has places for 2 arguments, 1 was given"), ValueError);
}

TEST_CASE("accuracy counts the rows whose largest logit is at the label") {
  Batches loader{{{from({1, 2, 3, 0, 5, 6}, {2, 3}), indices({2, 2})}, {from({9, 1, 1}, {1, 3}), indices({1})}}};
  const auto identity = [](const Tensor& x) { return x; };
  CHECK(accuracy(identity, loader) == doctest::Approx(2.0 / 3.0));
  Batches none;
  CHECK_THROWS_WITH_AS(accuracy(identity, none), "accuracy: the loader has no examples", ValueError);
  Batches wrong{{{zeros({2, 3}), indices({1})}}};
  CHECK_THROWS_WITH_AS(accuracy(identity, wrong),
                       "accuracy: logits [2, 3] and labels [1], expected [N, classes] and [N]", ShapeError);
}

TEST_CASE("accuracy runs in evaluation mode, also while a tape records") {
  Batches loader{{{from({1, 2}, {1, 2}), indices({1})}}};
  Tape tape;
  bool seen_training = true;
  accuracy(
      [&](const Tensor& x) {
        seen_training = training() || recording();
        return x;
      },
      loader);
  CHECK_FALSE(seen_training);
  CHECK(training());
}

TEST_CASE("info names version, instruction set, threads and oneDNN") {
  const std::string line = info();
  for (const char* part : {"Temper ", "thread", "oneDNN "}) CHECK(line.find(part) != std::string::npos);
  CHECK(line.find(version()) != std::string::npos);
  CHECK(version() == fmt::format("{}.{}.{}", TEMPER_VERSION / 10000, TEMPER_VERSION / 100 % 100, TEMPER_VERSION % 100));
}
