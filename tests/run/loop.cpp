// A program's own training loops, hooks, and loops that end before their last step.

#include <temper/run/loop.hpp>

#include <doctest/doctest.h>

#include <cmath>

#include "tests/data/files.hpp"

using namespace temper;
using temper_test::Folder;

namespace {

struct Scale : nn::Module {
  Parameter weight{full({4}, 1.0f), Role::weight};
  void members(nn::Members& m) const override { m("weight", weight); }
};

struct MadeUp {
  std::int64_t size() const { return 10; }
  std::array<Tensor, 1> get(std::int64_t i) const { return {full({4}, static_cast<float>(i))}; }
};

TrainOptions options_in(const Folder& folder) {
  TrainOptions options;
  options.out = (folder / "run").native();
  options.steps = 12;
  options.eval_every = 4;
  options.checkpoint_every = "3";
  options.log_every = 1;
  return options;
}

void step(const Scale& model, optim::Optimizer& optimizer, float factor = 1.0f) {
  Tape tape;
  tape.backward(mean(model.weight * model.weight) * factor);
  optimizer.step();
}

}  // namespace

TEST_CASE("a loop gives batch after batch, epoch after epoch") {
  data::Loader loader(MadeUp(), {.batch_size = 4});
  Batches<MadeUp> batches(loader);
  std::vector<std::int64_t> sizes, epochs;
  for (int i = 0; i < 7; ++i) {
    sizes.push_back(std::get<0>(batches.next()).size(0));
    epochs.push_back(loader.state().epoch);
  }
  CHECK(sizes == std::vector<std::int64_t>{4, 4, 2, 4, 4, 2, 4});
  CHECK(epochs == std::vector<std::int64_t>{1, 1, 1, 2, 2, 2, 3});
}

TEST_CASE("a loop restores everything registered with it: models, optimizers, loaders, numbers, tensors") {
  const auto run_to = [](const Folder& folder, bool resume, Step stop_at) {
    TrainOptions options = options_in(folder);
    options.resume = resume;
    manual_seed(1);
    Run run({.name = "two", .options = options});
    const Scale a, b;
    data::Loader first(MadeUp(), {.batch_size = 3, .shuffle = true}),
        second(MadeUp(), {.batch_size = 4, .shuffle = true});
    const auto of_a = run.optimizer(a, 4), of_b = run.optimizer(b, 4);
    double number = 0.1;
    std::int64_t count = 0;
    Tensor tensor = zeros({4});
    Loop loop(run);
    loop.model("a", a).model("b", b).optimizer("a", *of_a).optimizer("b", *of_b);
    loop.state("number", number).state("count", count).state("tensor", tensor);
    auto xs = loop.batches("xs", first);
    auto ys = loop.batches("ys", second);
    while (loop.next()) {
      const float x = sum(std::get<0>(xs.next())).item(), y = sum(std::get<0>(ys.next())).item();
      step(a, *of_a, x);
      if (count % 2 == 0) step(b, *of_b, y);
      number = number * 0.7 + x - y;
      tensor.mutable_data<float>()[count++ % 4] += x;
      loop.log("train/number", number);
      if (loop.step() + 1 == stop_at) throw std::runtime_error("as if killed");
    }
    std::vector<double> all = {number, static_cast<double>(count)};
    for (const Tensor& each : {a.weight.value(), b.weight.value(), tensor}) {
      for (const float value : each.values<float>()) all.push_back(value);
    }
    return all;
  };
  const Folder whole, killed;
  const std::vector<double> expected = run_to(whole, false, 0);
  CHECK(expected[1] == 12);
  CHECK_THROWS_WITH(run_to(killed, false, 8), "as if killed");
  CHECK(run_to(killed, true, 0) == expected);
  const auto numbers_of = [](const Folder& folder) {
    const std::string log = Folder::read(folder / "run/metrics.jsonl");
    std::string kept;
    for (std::size_t at = 0; (at = log.find("\"train/number\":", at)) != std::string::npos; ++at) {
      kept += log.substr(at, log.find(',', at) - at);
    }
    return kept;
  };
  CHECK(numbers_of(killed) == numbers_of(whole));
}

TEST_CASE("a checkpoint of other parts is refused with everything that does not fit, and nothing changes") {
  const Folder folder;
  TrainOptions options = options_in(folder);
  const auto train = [&](const char* name, bool number, float weight) {
    Run run({.name = "two", .options = options});
    const Scale model;
    Tensor(model.weight.value()).fill(weight);
    const auto optimizer = run.optimizer(model, 4);
    double value = 0;
    Loop loop(run);
    loop.model(name, model).optimizer("o", *optimizer);
    if (number) loop.state("value", value);
    try {
      while (loop.next()) step(model, *optimizer);
    } catch (const FileError& error) {
      CHECK(model.weight.value().data<float>()[0] == weight);
      return std::string(error.what());
    }
    return std::string("trained");
  };
  CHECK(train("a", false, 1.0f) == "trained");
  options.resume = true;
  const std::string text = train("b", true, 0.5f);
  for (const char* part :
       {"last.safetensors: does not fit the run", "b/weight", "a/weight", "state value: '' is no number"}) {
    CAPTURE(part);
    CHECK(text.find(part) != std::string::npos);
  }
}

TEST_CASE("duplicate and invalid names of parts throw") {
  const Folder folder;
  Run run({.name = "two", .options = options_in(folder)});
  const Scale model;
  double value = 0;
  Loop loop(run);
  loop.model("a", model);
  CHECK_THROWS_WITH_AS(loop.model("a", model), "Loop: there is another part of its kind named 'a'", ValueError);
  CHECK_THROWS_WITH_AS(loop.model("a/b", model), doctest::Contains("'a/b' cannot be a part's name"), ValueError);
  CHECK_THROWS_AS(loop.model("", model), ValueError);
  CHECK_THROWS_AS(loop.model("state", model), ValueError);
  loop.state("a", value);  // another kind
  REQUIRE(loop.next());
  CHECK_THROWS_WITH_AS(loop.state("b", value), doctest::Contains("'b' is named after the first step"), ValueError);
}

TEST_CASE("hooks are called at their events, and can end the loop") {
  const Folder folder;
  Run run({.name = "one", .options = options_in(folder)});
  std::string calls;
  run.hooks(
      {.before_step = [&](Step at) { calls += " b" + std::to_string(at); },
       .after_step = [&](Step at, double loss) { calls += loss == 0.5 ? " a" + std::to_string(at) : " ?"; },
       .evaluated = [&](Step at, const Metrics& metrics) { calls += " e" + std::to_string(at + Step(metrics.size())); },
       .saved =
           [&](Step at, const std::string& file) {
             CHECK(std::filesystem::exists(file));
             calls += " s" + std::to_string(at);
           }});
  const Scale model;
  const auto optimizer = run.optimizer(model, 4);
  Loop loop(run);
  loop.model("m", model).optimizer("o", *optimizer).evaluate([] { return Metrics{}; });
  while (loop.next()) {
    step(model, *optimizer);
    loop.log("train/loss", 0.5);
    if (loop.step() == 4) loop.stop();
  }
  CHECK(calls == " b1 a1 b2 a2 b3 a3 s3 b4 a4 e4 b5 a5 e5 s5");
  CHECK(std::filesystem::exists(folder / "run/model.safetensors"));
}

TEST_CASE("a metric that is not finite, or a loss above the limit, ends a loop") {
  const Folder folder;
  TrainOptions options = options_in(folder);
  options.max_loss = 10;
  Run run({.name = "one", .options = options});
  const Scale model;
  Loop loop(run);
  loop.model("m", model);
  REQUIRE(loop.next());
  loop.log("train/size", 11);
  CHECK_THROWS_WITH_AS(loop.log("train/loss", 11), doctest::Contains("step 1: the loss is 11, beyond --max-loss 10; a"),
                       ValueError);
  CHECK_THROWS_WITH_AS(loop.log("train/size", INFINITY), doctest::Contains("step 1: train/size is inf; a lower"),
                       ValueError);
}

TEST_CASE("a range test makes the loop's steps, calls no hook, and puts everything back") {
  const Folder folder;
  TrainOptions options = options_in(folder);
  options.find_lr = true;
  Run run({.name = "one", .options = options});
  int hooks = 0;
  run.hooks({.before_step = [&](Step) { ++hooks; }, .after_step = [&](Step, double) { ++hooks; }});
  const Scale model;
  const auto optimizer = run.optimizer(model, 4);
  double number = 0.25;
  Loop loop(run);
  loop.model("m", model).optimizer("o", *optimizer).state("number", number);
  std::vector<double> rates;
  int steps = 0;
  while (loop.next()) {
    if (optimizer->journal().empty()) {  // it is over: the first step of the training
      if (rates.size() == 12) {
        CHECK(number == 0.25);
        CHECK(model.weight.value().data<float>()[0] == 1.0f);
        CHECK(optimizer->k() == 0);
        rates.push_back(optimizer->lr());
      }
    } else {
      rates.push_back(optimizer->lr());
    }
    step(model, *optimizer);
    number += 1;
    ++steps;
    loop.log("train/loss", 1.0);
  }
  CHECK(steps == 24);
  CHECK(hooks == 24);
  CHECK(number == 12.25);
  REQUIRE(rates.size() == 13);
  for (std::size_t i = 0; i < 12; ++i) {
    CHECK(rates[i] == doctest::Approx(std::pow(10.0, -7 + static_cast<double>(i) * 8 / 11)));
  }
  CHECK(rates[12] == optimizer->value("lr", 0));
  CHECK(std::filesystem::exists(folder / "run/find_lr.json"));
}

TEST_CASE("a range test of a loop that logs no loss, or of a rate of 0, says so") {
  const Folder folder;
  TrainOptions options = options_in(folder);
  options.find_lr = true;
  const auto train = [&](const TrainOptions& with) {
    Run run({.name = "one", .options = with});
    const Scale model;
    const auto optimizer = run.optimizer(model, 4);
    Loop loop(run);
    loop.model("m", model).optimizer("o", *optimizer);
    while (loop.next()) step(model, *optimizer);
  };
  CHECK_THROWS_WITH_AS(train(options), doctest::Contains("the loop logged no 'train/loss' in its step"), ValueError);
  options.lr = "0";
  options.overwrite = true;
  CHECK_THROWS_WITH_AS(train(options), doctest::Contains("the learning rate of update 1 is 0, of which no other"), ValueError);
}
