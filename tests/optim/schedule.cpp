#include <temper/optim/schedule.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include <temper/core/errors.hpp>

#include "tests/optim/golden_internal.hpp"
#include "tests/optim/near_internal.hpp"

using namespace temper;
using namespace temper::optim;

namespace {

void check_values(const Schedule& schedule, const std::vector<double>& expected) {
  CAPTURE(schedule.text());
  for (std::size_t k = 0; k < expected.size(); ++k) {
    CAPTURE(k);
    CHECK(schedule(static_cast<Step>(k)) == doctest::Approx(expected[k]).epsilon(1e-12).scale(1.0));
  }
}

void check_recorded(const std::string& name, const Schedule& schedule, std::size_t steps = 16) {
  CAPTURE(name);
  auto values = optim_golden()["schedules"][name].get<std::vector<double>>();
  values.resize(steps);
  check_values(schedule, values);
}

void check_same(const Schedule& a, const Schedule& b, Step steps = 60) {
  CAPTURE(a.text());
  CAPTURE(b.text());
  CHECK(a.length() == b.length());
  for (Step k = 0; k < steps; ++k) {
    CAPTURE(k);
    CHECK(a(k) == b(k));
  }
}

/// Schedules of every kind; only those of finite length on request.
Schedule random_schedule(std::mt19937& random, bool finite, int depth) {
  const auto below = [&](int bound) { return static_cast<int>(random() % static_cast<unsigned>(bound)); };
  const Step n = below(12);
  if (depth > 0) {
    const Schedule a = random_schedule(random, true, depth - 1);
    const Schedule b = random_schedule(random, finite, depth - 1);
    switch (below(11)) {
      case 0:
      case 1: return a.then(b);
      case 2: return a * b;
      case 3: return min(a, b);
      case 4: return max(a, b);
      case 5: return b.cut(n);
      case 6: return b.skip(n);
      case 7: return a.repeat(1 + below(3));
      case 8: return a + b;
      case 9: return a - b;
      default: break;
    }
  }
  switch (below(finite ? 14 : 20)) {
    case 0: return warmup(n);
    case 1: return warmup(n, Warmup::zero_based);
    case 2: return linear_decay(n, {.end = 0.25});
    case 3: return cosine(n);
    case 4: return polynomial(n, {.power = 2.0, .end = 0.125});
    case 5: return sqrt_decay(n);
    case 6: return constant(0.5, n);
    case 7: return one_cycle(n);
    case 8: return linear(n, {.start = 0.1, .end = 0.9});
    case 9: return log_warmup(n);
    case 10: return cosine_rise(n, {.start = 0.25});
    case 11: return square_decay(n);
    case 12: return rex(n, {.end = 0.125});
    case 13: return one_cycle(n, {.rise = 0.5, .linear = true});
    case 14: return exponential(0.9);
    case 15: return step(1 + n, 0.5);
    case 16: return multistep({2, 5, 5}, 0.1);
    case 17: return cosine_restarts(1 + n, {.grow = 2, .end = 0.1});
    case 18: return cyclic(1 + n, {.down = n, .low = 0.2, .shrink = 0.5, .gamma = 0.75});
    default: return inverse_sqrt(1 + n);
  }
}

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const ValueError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("the recorded PyTorch schedules are reproduced up to their length") {
  check_recorded("LinearLR(0.25,total=4)", linear(4, {.start = 0.25}));
  check_recorded("LinearLR(1/4,total=3)==blog n=4", warmup(4));
  check_recorded("HF linear w4 T10", warmup(4, Warmup::zero_based).then(linear_decay(6)));
  check_recorded("HF cosine w4 T10", warmup(4, Warmup::zero_based).then(cosine(6)), 11);
  check_recorded("CosineAnnealingLR(10,eta_min=.1)", cosine(10, {.end = 0.1}), 11);
  check_recorded("CAWR(4,2,eta_min=.1)", cosine_restarts(4, {.grow = 2, .end = 0.1}));
  check_recorded("StepLR(3,.5)", optim::step(3, 0.5));
  check_recorded("MultiStepLR([2,5,5],.1)", multistep({2, 5, 5}, 0.1));
  check_recorded("ExponentialLR(.9)", exponential(0.9));
  check_recorded("PolynomialLR(8,2)", polynomial(8, {.power = 2.0}));
  check_recorded("ConstantLR(.5,3)", constant(0.5, 3).then(1.0));
  check_recorded("Seq[Linear(.25,4),Cosine(6)]@4", linear(4, {.start = 0.25}).then(cosine(6)), 11);
  check_recorded("Chained[Constant(.1,3),Exp(.9)]", constant(0.1, 3).then(1.0) * exponential(0.9));
  check_recorded("OneCycleLR(max=1,total=17)", one_cycle(17));
  check_recorded("CyclicLR(.1,1,up=4)", cyclic(4, {.low = 0.1}));
}

TEST_CASE("the schedules of current PyTorch, also those that need sums") {
  const nlohmann::json recorded =
      nlohmann::json::parse(std::ifstream(TEMPER_TEST_DIR "/golden/optim_newer.json"))["schedules"];
  const auto check = [&](const std::string& name, const Schedule& schedule) {
    CAPTURE(name);
    check_values(schedule, recorded[name].get<std::vector<double>>());
  };
  check("CosineAnnealingLR(5), 20 epochs", cosine(5, {.end = 0.1}).then(cosine_rise(5, {.start = 0.1})).repeat());
  check("CyclicLR(.1,1,up=4,exp_range,gamma=.9)", cyclic(4, {.low = 0.1, .gamma = 0.9}));
  check("CyclicLR momentum(.8,.95,up=4)", 0.95 - 0.15 * cyclic(4, {.low = 0.0}));
  check("OneCycleLR(max=1,total=17,linear)", one_cycle(17, {.linear = true}));
  check("OneCycleLR momentum(total=17)", 0.95 - 0.1 * one_cycle(17, {.start = 0.0, .end = 0.0}));
}

TEST_CASE("shapes of cooldown and warm-up by their formulas") {
  check_values(rex(4), {1.0, 0.75 / 0.875, 0.5 / 0.75, 0.25 / 0.625, 0.0, 0.0});
  check_values(square_decay(4, {.end = 0.5}), {1.0, 1.0 - 0.5 / 16, 1.0 - 0.5 * 4 / 16, 1.0 - 0.5 * 9 / 16, 0.5, 0.5});
  check_values(cosine_rise(2), {0.0, 0.5, 1.0, 1.0});
  check_values(untuned_warmup(0.5), {0.25, 0.5, 0.75, 1.0, 1.0});
  CHECK(untuned_warmup().length() == 2000);
  CHECK(untuned_warmup()(999) == near(0.5));
  CHECK(wsd(2, 3, sqrt_decay(4)) == warmup(2).then(constant(1.0, 3)).then(sqrt_decay(4)));
  CHECK(wsd(2, 3, 4) == wsd(2, 3, linear_decay(4)));
  CHECK(parse("wsd(2, 3, sqrt_decay(4))") == wsd(2, 3, sqrt_decay(4)));
  CHECK(parse("untuned_warmup() * untuned_warmup(0.99)") == untuned_warmup() * untuned_warmup(0.99));
  CHECK(error_of([] { untuned_warmup(1.0); }) == "untuned_warmup: beta2 is 1, expected at least 0 and less than 1");
}

TEST_CASE("sums and differences") {
  const Schedule momentum = 0.95 - 0.1 * one_cycle(100);
  CHECK(momentum.text() == "0.95 - 0.1 * one_cycle(100)");
  CHECK(momentum.length() == 100);
  CHECK(momentum(30) == near(0.95 - 0.1 * one_cycle(100)(30)));
  CHECK((warmup(3) + (cosine(4) - 0.5)).text() == "warmup(3) + cosine(4) - 0.5");
  CHECK((2.0 * (warmup(3) + 1.0)).text() == "2 * (warmup(3) + 1)");
  CHECK((1.0 - (warmup(3) + 1.0)).text() == "1 - (warmup(3) + 1)");
  CHECK((warmup(3) + 1.0).cut(2).text() == "(warmup(3) + 1).cut(2)");
  CHECK((1.0 + (2.0 + warmup(3))).text() == "3 + warmup(3)");
  CHECK(Schedule(1.0) + 0.5 == Schedule(1.5));
  CHECK(parse("1 + 2") == Schedule(3.0));
  CHECK(parse("0.95-0.1*one_cycle(100)") == momentum);
  CHECK(parse("min(1 - warmup(2), 0.5)")(0) == 0.5);
  CHECK(parse("3-2")(0) == 1.0);
}

template <class T>
concept counts_steps = requires(T n) {
  warmup(n);
};

TEST_CASE("a fraction is not accepted as a number of steps, and a number of steps is exact") {
  static_assert(counts_steps<int> && counts_steps<std::int64_t> && counts_steps<std::size_t>);
  static_assert(!counts_steps<double> && !counts_steps<float>);  // warmup(0.1) would be none
  CHECK(parse("cosine(9007199254740993)").length() == 9007199254740993);
  CHECK(parse("inverse_sqrt(4, {.from = 9007199254740993})").text() == "inverse_sqrt(4, {.from = 9007199254740993})");
  CHECK(parse("multistep({3, 9007199254740993}, 0.5)").text() == "multistep({3, 9007199254740993}, 0.5)");
  CHECK(parse("constant(1, 9007199254740993).cut(9007199254740991)").length() == 9007199254740991);
  CHECK(parse("cosine(1e3)").length() == 1000);
}

TEST_CASE("warm-up gives i / n to update i, and the full rate to update n") {
  check_values(warmup(4).then(linear_decay(6)),
               {0.25, 0.5, 0.75, 1.0, 1.0, 5.0 / 6, 4.0 / 6, 0.5, 2.0 / 6, 1.0 / 6, 0.0, 0.0});
  check_values(warmup(4, Warmup::zero_based), {0.0, 0.25, 0.5, 0.75, 1.0, 1.0});
  CHECK(warmup(0).then(cosine(5)) == cosine(5));
  check_values(warmup(0), {1.0, 1.0});
  check_values(log_warmup(4), {0.0, 0.5, std::log(3.0) / std::log(4.0), 1.0, 1.0});
}

TEST_CASE("a schedule of length n holds its end value") {
  CHECK(linear_decay(10)(10) == 0.0);
  CHECK(linear_decay(10)(1000000) == 0.0);
  CHECK(cosine(10, {.end = 0.1})(10) == 0.1);
  CHECK(cosine(10)(11) == 0.0);  // and does not rise again
  CHECK(linear_decay(10).cut(5)(7) == 0.5);
  CHECK(linear_decay(10).length() == 10);
  CHECK((3.0 * linear_decay(10)).length() == 10);
  CHECK((warmup(20) * linear_decay(10)).length() == 20);
  CHECK(warmup(5).then(linear_decay(10)).length() == 15);
  CHECK(warmup(5).then(exponential(0.5)).length() == endless);
  CHECK(linear_decay(10).skip(4)(0) == near(0.6));
  CHECK(linear_decay(10).skip(4).length() == 6);
  CHECK(linear_decay(0)(0) == 0.0);
  CHECK(one_cycle(17)(17) == 4e-6);
  CHECK(endless == exponential(0.5).cut(endless).length());
}

TEST_CASE("restarts are found by counting, not by logarithms") {
  for (const Step grow : {2, 3, 10}) {
    const Schedule schedule = cosine_restarts(1, {.grow = grow, .end = 0.5});
    Step start = 0, cycle = 1;
    for (int i = 0; i < 12; ++i) {
      CHECK(schedule(start) == 1.0);
      if (start > 0) CHECK(schedule(start - 1) < 0.99 + (cycle <= 10));
      start += cycle;
      cycle *= grow;
    }
  }
  CHECK(cosine_restarts(5, {.grow = 3})(endless) >= 0.0);  // terminates
}

TEST_CASE("identities between schedules") {
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    const Schedule a = random_schedule(random, true, 2);
    const Schedule b = random_schedule(random, true, 2);
    const Schedule c = random_schedule(random, false, 2);
    CHECK(a.then(b).then(c) == a.then(b.then(c)));
    check_same(a.then(b).then(c), a.then(b.then(c)));
    CHECK(constant(0.3, 0).then(a) == a);
    CHECK(1.0 * a == a);
    CHECK(a * 1.0 == a);
    CHECK(a.cut(a.length()) == a);
    CHECK(a.skip(0) == a);
    check_same(a.cut(5).then(a.skip(5)), a);
    for (Step k = 0; k < 40; ++k) {
      CHECK((0.3 * a)(k) == near(0.3 * a(k), 1e-15));
      CHECK((a * b)(k) == near(a(k) * b(k), 1e-15));
      CHECK(a(std::min(k, a.length())) == a(k));
      CHECK(std::isfinite(c(k)));
    }
  }
}

TEST_CASE("parsing the text of a schedule gives the same schedule") {
  std::mt19937 random(2);
  for (int i = 0; i < 500; ++i) {
    const Schedule schedule = 3e-4 * random_schedule(random, i % 2 == 0, 3);
    const Schedule again = parse(schedule.text());
    CHECK(again.text() == schedule.text());
    check_same(again, schedule);
  }
  CHECK((1e-3 * warmup(500).then(linear_decay(4500))).text() == "0.001 * warmup(500).then(linear_decay(4500))");
  CHECK(cosine(9, {.end = 0.1}).text() == "cosine(9, {.end = 0.1})");
  CHECK((2.0 * (3.0 * cosine(9)) * warmup(2)).text() == "6 * cosine(9) * warmup(2)");
  CHECK((2.0 * cosine(9)).cut(3).text() == "(2 * cosine(9)).cut(3)");
  CHECK(wsd(1, 2, 3).text() == "warmup(1).then(constant(1, 2)).then(linear_decay(3))");
}

TEST_CASE("parse") {
  CHECK(parse("3e-4*warmup( 1000 ) . then(cosine(9000,end=.1))") ==
        3e-4 * warmup(1000).then(cosine(9000, {.end = 0.1})));
  CHECK(parse("0.001") == Schedule(1e-3));
  CHECK(parse("(1)") == Schedule(1.0));
  CHECK(parse("inf") == Schedule(INFINITY));
  CHECK(parse("multistep({30, 60}, 0.1)") == multistep({30, 60}, 0.1));
  CHECK(parse("warmup(5, Warmup::zero_based)") == warmup(5, Warmup::zero_based));
  CHECK(parse("one_cycle(100, {.rise = 0.5, .end = 0})") == one_cycle(100, {.rise = 0.5, .end = 0.0}));
  CHECK(parse("wsd(10, 80, 10)") == wsd(10, 80, 10));
  CHECK(parse("min(1, warmup(3)).repeat()") == min(1.0, warmup(3)).repeat());

  const Schedule zigzag = custom("zigzag", [](Step k) { return k % 2 == 0 ? 1.0 : 0.5; });
  CHECK(zigzag.text() == "custom(\"zigzag\")");
  const std::vector customs{zigzag};
  CHECK(parse("0.1 * custom(\"zigzag\")", customs)(3) == 0.05);
}

TEST_CASE("an invalid text throws with the column and what was expected") {
  const auto parse_error = [](const std::string& text) { return error_of([&] { parse(text); }); };
  CHECK(parse_error("3e-4 * warmup(10 * ") ==
        "schedule, column 20: expected a number, a schedule or '(', but the text ends\n"
        "  3e-4 * warmup(10 * \n"
        "                     ^");
  const auto begins = [&](const std::string& text, const std::string& start) {
    CAPTURE(text);
    const std::string what = parse_error(text);
    CAPTURE(what);
    CHECK(what.starts_with("schedule, column " + start));
  };
  begins("", "1: expected a number, a schedule or '(', but the text ends");
  begins("warmpu(10)", "1: unknown schedule 'warmpu'; there are warmup, ");
  begins("warmup(10", "10: expected ')', but the text ends");
  begins("warmup(10))", "11: expected '*', '+', '-', '.' or the end, got ')'");
  begins("warmup", "7: expected '(' after 'warmup', but the text ends");
  begins("warmup()", "1: warmup: expected the number of steps");
  begins("warmup(1.5)", "8: expected a whole number of steps, got 1.5");
  begins("warmup(cosine(3))", "8: expected the number of steps, a number");
  begins("warmup(1, 2)", "11: expected Warmup::one_based");
  begins("cosine(10, 3)", "12: cosine: one argument too many");
  begins("cosine(10, {.ned = 1})", "13: cosine has no option 'ned'; it has end");
  begins("cosine(10, end = 1, end = 2)", "21: end is given twice");
  begins("1 / 2", "3: expected '*', '+', '-', '.' or the end, got '/'");
  begins("1 +", "4: expected a number, a schedule or '(', but the text ends");
  begins("one_cycle(9, {.linear = yes})", "25: expected a number, true or false, got yes");
  begins("one_cycle(9, {.linear = 2})", "15: linear: expected true or false");
  begins("cosine(9223372036854775808)", "8: expected a whole number of steps, got 9.223372036854776e+18");
  begins("warmup(-1)", "1: warmup: -1 steps, expected at least 0");
  begins("1e-3 * exponential(0.5).then(warmup(3))",
         "24: exponential(0.5).then(warmup(3)): exponential(0.5) never ends");
  begins("warmup(3).until(3)", "11: unknown '.until', expected .then, .cut, .skip or .repeat");
  begins("custom(\"mine\")", "8: no custom schedule 'mine' was given to parse");
  begins("custom(\"mine)", "8: this quote is not closed");
  begins("1e999", "1: this number is out of range");
  begins("nan", "4: expected '(' after 'nan'");
  begins(std::string(5000, '('), "1");
  begins("multistep(3, 0.1)", "11: expected milestones, as {30, 60}");
  // Any changed text is a schedule or a ValueError.
  const std::string good = "3e-4 * warmup(10).then(cosine(90, {.end = 0.1})) * min(1, multistep({3, 5}, 0.5)).cut(70)";
  std::mt19937 random(3);
  for (int i = 0; i < 3000; ++i) {
    std::string bad = good;
    for (unsigned j = 0; j <= random() % 3; ++j) {
      bad[random() % bad.size()] = "(){}.,*=+\"0-ew "[random() % 15];
    }
    error_of([&] { parse(bad)(5); });
  }
}

TEST_CASE("schedules without a meaning throw with an error that names the fix") {
  CHECK(error_of([] { (1e-3 * warmup(10)).then(cosine(90)); }) ==
        "(0.001 * warmup(10)).then(cosine(90)): 0.001 * warmup(10) is scaled and cosine(90) is not, so the value would "
        "jump; scale the whole: 0.001 * warmup(10).then(cosine(90))");
  CHECK(error_of([] { (1e-3 * warmup(10)).cut(5).then(cosine(90)); }) != "no error");
  CHECK(error_of([] { warmup(5).then(0.5 * cosine(5)).then(cosine(90)); }) != "no error");
  CHECK(error_of([] { warmup(5).then((0.5 * cosine(5)).then(cosine(90))); }) != "no error");
  // Also if the scaled part has length 0, such as the warm-up of a short run, and inside min, max and sums.
  CHECK(error_of([] { (1e-3 * warmup(0)).then(cosine(100)); }) != "no error");
  CHECK(error_of([] { min(1e-3 * warmup(10), 1e-3).then(cosine(100)); }) ==
        "min(0.001 * warmup(10), 0.001).then(cosine(100)): min(0.001 * warmup(10), 0.001) is scaled and cosine(100) is "
        "not, so the value would jump; scale the whole");
  CHECK(error_of([] { max(warmup(10), 1e-3 * warmup(10)).then(cosine(100)); }) != "no error");
  CHECK(error_of([] { (1e-3 * warmup(10) + 1e-5).then(cosine(100)); }) != "no error");
  CHECK(min(warmup(10), inverse_sqrt(10).cut(20)).then(cosine(100)).length() == 120);
  CHECK(max(constant(0.1, 5), 0.2).then(cosine(100))(5) == 1.0);
  // No error if both are scaled, or if a plain number follows: there is no jump to 1.
  CHECK((1e-3 * warmup(10)).then(1e-3 * cosine(90))(10) == 1e-3);
  CHECK((1e-3 * warmup(10)).then(1e-4)(10) == 1e-4);
  CHECK(warmup(10).then(0.5 * cosine(90))(10) == 0.5);

  CHECK(error_of([] { Schedule(1e-3).then(cosine(90)); }) ==
        "0.001.then(cosine(90)): 0.001 never ends; cut(steps) gives it an end");
  CHECK(error_of([] { linear_decay(-5); }) == "linear_decay: -5 steps, expected at least 0");
  CHECK(error_of([] { warmup(5)(-1); }) == "warmup(5): step -1, expected at least 0");
  CHECK(error_of([] { exponential(0.5).repeat(); }) == "exponential(0.5).repeat(): exponential(0.5) never ends");
  CHECK(error_of([] { Schedule(std::nan("")); }) == "schedule: NaN is no value");
  CHECK(error_of([] { polynomial(5, {.power = 0.0}); }) == "polynomial: power is 0, expected a positive number");
  CHECK(error_of([] { custom("a\"b", [](Step) { return 1.0; }); }) ==
        "custom: the name 'a\"b' cannot be written between quotes");
  CHECK(error_of([] { warmup(endless - 1).then(warmup(5)); }).ends_with("longer than 2^63 steps"));
}
