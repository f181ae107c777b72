#include <temper/optim/lint.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/optim/optim.hpp>

#include "tests/optim/near_internal.hpp"

using namespace temper;
using namespace temper::optim;

namespace doctest {
template <>
struct StringMaker<std::vector<std::string>> {
  static String convert(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) text += "[" + word + "]";
    return text.c_str();
  }
};
}  // namespace doctest

namespace {

Parameter parameter() { return Parameter(zeros({1}), Role::weight).named("p"); }

std::vector<std::string> rules(const Optimizer& optimizer, Step total) {
  std::vector<std::string> result;
  for (const LintWarning& warning : lint(optimizer, total).warnings) result.push_back(warning.rule);
  return result;
}

std::vector<std::string> adamw(const Schedule& lr, Step total, double weight_decay = 0.01) {
  return rules(AdamW({parameter()}, {.lr = lr, .weight_decay = weight_decay}), total);
}

using Rules = std::vector<std::string>;

}  // namespace

TEST_CASE("README's program lints clean") {
  const auto without_blanks = [](std::string text) {
    std::erase_if(text, [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; });
    return text;
  };
  std::stringstream readme;
  readme << std::ifstream(TEMPER_TEST_DIR "/../README.md").rdbuf();
  const int epochs = 5;
  const Step batches = (60000 + 127) / 128, total = epochs * batches, warm = total / 10;
  std::string text;
  // The code above must be the code in README.md.
#define README_OPTIONS(...) (text = #__VA_ARGS__, AdamWOptions{__VA_ARGS__})
  const AdamW adamw({parameter()},
                    README_OPTIONS(.lr = 1e-3 * optim::warmup(warm).then(optim::linear_decay(total - warm)),
                                   .weight_decay = 0.01, .clip_norm = 1.0));
#undef README_OPTIONS
  const std::string page = without_blanks(readme.str());
  CHECK(page.find(without_blanks("optim::AdamW adamw(model.parameters(), {" + text + "});")) != std::string::npos);
  CHECK(page.find(
            without_blanks("const int epochs = 5; const Step total = epochs * train.batches(), warm = total / 10;")) !=
        std::string::npos);
  CHECK(page.find(without_blanks("{.batch_size = 128, .shuffle = true}")) != std::string::npos);
  for (const LintWarning& warning : lint(adamw, total).warnings) FAIL_CHECK(warning.text);
}

TEST_CASE("each rule") {
  CHECK(adamw(1e-3 * warmup(200, Warmup::zero_based).then(cosine(1800)), 2000) == Rules{"first lr is 0"});
  CHECK(adamw(bert_schedule(1e-3, 200, 2000), 2000) == Rules{"first lr is 0", "peak not reached"});
  CHECK(adamw(1e-3 * warmup(200).then(cosine(800)), 2000) == Rules{"run longer than the schedule"});
  CHECK(adamw(1e-3 * warmup(200).then(cosine(3800)), 2000) == Rules{"run shorter than the schedule"});
  CHECK(adamw(1e-3 * warmup(200).then(cosine_restarts(500)), 2000) == Rules{});  // a rise to the old peak is a restart
  CHECK(adamw(1e-3 * warmup(200).then(constant(0.2, 300)).then(constant(4.0)), 2000) == Rules{"upward jump"});
  CHECK(adamw(1e-3 * warmup(20).then(cosine(1980)), 2000) == Rules{"short warm-up"});
  CHECK(adamw(1e-3 * cosine(2000), 2000) == Rules{"short warm-up"});
  CHECK(adamw(1e-3 * warmup(20).then(cosine(180)), 200) == Rules{});  // 10% of the run
  CHECK(adamw(1e-8 * warmup(200).then(linear_decay(1800)), 2000, 1e-4) == Rules{"decay below resolution"});
  CHECK(adamw(1e-4 * warmup(200).then(linear_decay(1800)), 2000, 1e-4) == Rules{});

  const Schedule lr = 0.1 * warmup(100).then(cosine(900));
  CHECK(rules(SGD({parameter()}, {.lr = lr}), 1000) == Rules{"warm-up without momentum"});
  CHECK(rules(SGD({parameter()}, {.lr = lr, .momentum = 0.9}), 1000) == Rules{});
  CHECK(rules(SGD({parameter()}, {.lr = 0.1 * cosine(1000)}), 1000) == Rules{});
  CHECK(rules(RAdam({parameter()}, {.lr = 1e-3}), 1000) == Rules{});
  // Judged by the schedule's values, not by its text; one_cycle is not a warm-up.
  CHECK(rules(SGD({parameter()}, {.lr = 0.1 * linear(100).then(cosine(900))}), 1000) ==
        Rules{"first lr is 0", "warm-up without momentum"});
  CHECK(rules(SGD({parameter()}, {.lr = 0.1 * one_cycle(1000)}), 1000) == Rules{});
  // Judged by the optimizer's state, not by its name.
  CHECK(rules(RMSprop({parameter()}, {.lr = 1e-3}), 10000) == Rules{"short warm-up"});
  CHECK(rules(RMSprop({parameter()}, {.lr = 1e-3 * warmup(100)}), 100) == Rules{});
  CHECK(rules(Adamax({parameter()}, {.lr = 1e-3}), 1000) == Rules{"short warm-up"});
  CHECK(rules(Adagrad({parameter()}, {.lr = 1e-3}), 1000) == Rules{});
  CHECK(rules(Lion({parameter()}, {.lr = 1e-4}), 1000) == Rules{});
  CHECK(rules(Adafactor({parameter()}, {}), 1000) == Rules{});
  CHECK(rules(AdamW({parameter()}, {.lr = 1e-4 * warmup(200).then(linear_decay(1800)),
                                    .weight_decay = 1e-4,
                                    .rounding = Rounding::torch_compat}),
              2000) == Rules{"decay below resolution"});
  CHECK(rules(AdamW({parameter()},
                    {.lr = 1e-8 * warmup(200).then(linear_decay(1800)), .rounding = Rounding::compensated}),
              2000) == Rules{});
}

TEST_CASE("the lint makes no statement on LAMB's decay, which scales with the trust ratio") {
  const LAMB lamb({parameter()}, {.lr = 1e-2});
  const LintReport report = lint(lamb, 100);
  CHECK(std::isnan(report.decay_factor[0]));
  CHECK(report.text().find("group 0: weight decay is part of the step, what it leaves depends on the gradients\n") !=
        std::string::npos);
}

TEST_CASE("the restarts in docs/weight-decay.md give no warning") {
  const Schedule restarts = cosine_restarts(4690);
  const AdamW adamwr({parameter()},
                     {.lr = 1e-3 * restarts, .weight_decay = 1e-3 * restarts, .decay = Decay::independent});
  CHECK(rules(adamwr, 9380) == Rules{"short warm-up"});
}

TEST_CASE("warnings have numbers, and groups that share a schedule share them") {
  const AdamW two({{.parameters = {parameter()}}, {.parameters = {parameter()}, .set = {{"weight_decay", 0.0}}}},
                  {.lr = 1e-3 * warmup(200).then(cosine(800)), .weight_decay = 0.1});
  const LintReport report = lint(two, 1001);
  REQUIRE(report.warnings.size() == 1);
  CHECK(report.warnings[0].text ==
        "0.001 * warmup(200).then(cosine(800)): it ends after 1000 updates; the last 1 of 1001 have a learning rate of "
        "0");
  REQUIRE(report.decay_factor.size() == 2);
  CHECK(report.decay_factor[0] == near(std::exp(-1e-4 * (100.5 + 400.5)), 1e-4));
  CHECK(report.decay_factor[1] == 1.0);
  CHECK(report.text().find("group 0: weight decay alone leaves 0.95") != std::string::npos);
  CHECK_THROWS_WITH_AS(lint(two, 0), "lint: a run of 0 updates, expected at least 1", ValueError);
}

TEST_CASE("plots") {
  const std::string graph = plot(0.5 * warmup(4).then(linear_decay(4)), 8, {.width = 16, .height = 5});
  CHECK(graph ==
        "         * 0.5 * warmup(4).then(linear_decay(4))\n"
        "       0.5 |      ****\n"
        "           |    **    **\n"
        "           |  **        **\n"
        "           |**            **\n"
        "         0 |\n"
        "           +----------------\n"
        "           0               8\n");
  // A single step of a thousand is visible.
  CHECK(plot(custom("spike", [](Step k) { return k == 777 ? 9.0 : 1.0; }), 1000).find("9 |") != std::string::npos);

  const AdamW two({{.parameters = {parameter()}, .name = "a"},
                   {.parameters = {parameter()}, .name = "b", .lr_scale = 0.5},
                   {.parameters = {parameter()}}},
                  {.lr = linear_decay(2)});
  CHECK(plot_csv(two, 2) == "k,\"lr, a: linear_decay(2)\",\"lr, b: 0.5 * linear_decay(2)\"\n0,1,0.5\n1,0.5,0.25\n");
  CHECK(plot(two, 2).find("o lr, b: 0.5 * linear_decay(2)") != std::string::npos);
  CHECK(plot_csv(custom("x", [](Step) { return 1.0; }), 1) == "k,\"custom(\"\"x\"\")\"\n0,1\n");
  const std::string svg = plot_svg(two, 2);
  CHECK(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
  CHECK(svg.ends_with("</svg>\n"));
  CHECK(std::count(svg.begin(), svg.end(), '<') == std::count(svg.begin(), svg.end(), '>'));
  CHECK(svg.find("points=\"80.0,20.0 440.0,180.0 \"") != std::string::npos);
  // Plots of very long runs work.
  CHECK(plot(warmup(1'000'000'000).then(linear_decay(1'000'000'000)), 2'000'000'000).find("2000000000") !=
        std::string::npos);
  CHECK_THROWS_AS(plot(1.0, 0), ValueError);
  // The number of columns does not depend on the length of the run.
  const std::string endless_run = plot(cosine(4'000'000'000), 4'000'000'000, {.width = 16, .height = 3});
  CHECK(endless_run.find("4000000000") != std::string::npos);
}
