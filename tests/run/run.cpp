// Tests of Run that must be in the same process.

#include <temper/run/run.hpp>

#include <doctest/doctest.h>

#include <cmath>

#include <nlohmann/json.hpp>

#include "tests/data/allocations.hpp"
#include "tests/data/files.hpp"
#include "tests/run/scale.hpp"

using namespace temper;
using temper_test::Folder;
using temper_test::Scale;

namespace {

struct MadeUp {
  std::int64_t size() const { return 40; }
  std::array<Tensor, 1> get(std::int64_t i) const { return {full({4}, static_cast<float>(i % 3 + 1))}; }
};

TrainOptions options_in(const Folder& folder) {
  TrainOptions options;
  options.out = (folder / "run").native();
  options.batch_size = 4;
  options.steps = 20;
  options.eval_every = 1000;
  options.checkpoint_every = "1000";
  return options;
}

/// Trains `model` in one or two phases. Returns which of them made steps, and the weights after each.
struct Outcome {
  std::vector<int> steps;
  std::vector<float> weights;
};
Outcome train(const TrainOptions& options, const std::vector<Phase>& phases) {
  Run run({.name = "scale", .options = options});
  const Scale model;
  Outcome outcome;
  for (const Phase& phase : phases) {
    data::Loader loader(MadeUp(), run.loader_options());
    const auto optimizer = run.optimizer(model, loader.batches(), phase);
    int steps = 0;
    run.train(
        model, *optimizer, loader,
        [&](const auto& batch) {
          ++steps;
          const Tensor y = std::get<0>(batch) * model.weight;
          return mean(y * y);
        },
        [&] {
          return Metrics{{"test size", 1.0, Better::smaller}};
        },
        phase);
    outcome.steps.push_back(steps);
    outcome.weights.push_back(model.weight.value().values<float>()[0]);
  }
  run.finish();
  return outcome;
}

}  // namespace

TEST_CASE("from the third step on, a run's step and its line of metrics allocate nothing") {
  const Folder folder;
  TrainOptions options = options_in(folder);
  options.log_every = 1;
  options.ema = 0.9;
  options.accumulate = 2;
  Run run({.name = "scale", .options = options});
  const Scale model;
  data::Loader loader(MadeUp(), run.loader_options());
  const auto optimizer = run.optimizer(model, loader.batches());
  int calls = 0;
  long allocations = 0;
  std::int64_t before = 0;
  run.train(
      model, *optimizer, loader,
      [&](const auto& batch) {
        // Counts from one call to the next: backward, update, metrics. At the start of an epoch, the loader shuffles.
        if (calls > 6) allocations += static_cast<long>(temper_test::allocations() - before);
        ++calls;
        before = static_cast<std::int64_t>(temper_test::allocations());
        const Tensor y = std::get<0>(batch) * model.weight;
        return mean(y * y);
      },
      [] { return Metrics{}; });
  CHECK(calls == 40);
  CHECK(allocations == 0);
  CHECK(Folder::read(folder / "run/metrics.jsonl").find("\"step\":20,") != std::string::npos);
}

TEST_CASE("batches that are accumulated for one update are weighted by the counts their losses are means over") {
  struct Four {
    std::int64_t size() const { return 4; }
    std::array<Tensor, 2> get(std::int64_t i) const {
      return {full({4}, static_cast<float>(i * i + 1)), full({1}, static_cast<float>(i + 1))};
    }
  };
  const auto weight_after = [](std::int64_t batch_size, std::int64_t accumulate, bool tokens) {
    const Folder folder;
    TrainOptions options = options_in(folder);
    options.batch_size = batch_size;
    options.accumulate = accumulate;
    options.steps = 1;
    options.optimizer = "sgd";
    options.lr = "0.01 * constant(1)";
    options.clip_norm = 0;
    Run run({.name = "scale", .options = options});
    const Scale model;
    data::Loader loader(Four(), run.loader_options());
    const auto optimizer = run.optimizer(model, loader.batches());
    run.train(
        model, *optimizer, loader,
        [&](const auto& batch) {
          const auto& [x, counts] = batch;
          const Tensor y = x * model.weight;
          // A mean over examples, or over the number of terms that `counts` has for each example.
          const double terms = tokens ? sum(counts).item() : static_cast<double>(x.size(0));
          const Tensor total = tokens ? sum(y * y * counts) : sum(y * y);
          return MeanLoss{total * static_cast<float>(1.0 / terms), terms};
        },
        [] { return Metrics{}; });
    return double{model.weight.value().values<float>()[0]};
  };
  for (const bool tokens : {false, true}) {
    CAPTURE(tokens);
    const double whole = weight_after(4, 1, tokens), in_two = weight_after(3, 2, tokens);
    CHECK(whole < 0.9);
    CHECK(in_two == doctest::Approx(whole).epsilon(1e-6));
  }
}

TEST_CASE("a loss that is not finite ends the run, and says at which step and what may help") {
  const Folder folder;
  TrainOptions options = options_in(folder);
  options.checkpoint_every = "2";
  Run run({.name = "scale", .options = options});
  const Scale model;
  data::Loader loader(MadeUp(), run.loader_options());
  const auto optimizer = run.optimizer(model, loader.batches());
  int calls = 0;
  const auto loss = [&](const auto& batch) {
    const Tensor y = mean(std::get<0>(batch) * model.weight);
    return ++calls < 6 ? y : y + full({}, std::nanf(""));  // its gradient is finite
  };
  CHECK_THROWS_WITH_AS(run.train(model, *optimizer, loader, loss, [] { return Metrics{}; }),
                       doctest::Contains("step 6: the loss is nan; a lower --lr, a longer --warmup or a smaller "
                                         "--clip-norm may help (the last checkpoint is of step 4)"),
                       ValueError);
}

TEST_CASE("a resumed run skips the phases that its checkpoint has completed") {
  const std::vector<Phase> phases = {{.name = "first", .steps = 5, .lr = "0.1"}, {}};
  const Folder folder;
  TrainOptions options = options_in(folder);
  const Outcome whole = train(options, phases);
  CHECK(whole.steps == std::vector<int>{5, 20});
  CHECK(whole.weights[1] < whole.weights[0]);
  const std::string log = Folder::read(folder / "run/metrics.jsonl");
  CHECK(log.find("\"step\":5,\"epoch\":1") != std::string::npos);
  CHECK(log.find("\"step\":25,\"epoch\":2") != std::string::npos);  // steps are counted across phases
  CHECK(log.find("\"phase\":\"first\"") != std::string::npos);

  options.resume = true;
  const Outcome again = train(options, phases);
  CHECK(again.steps == std::vector<int>{0, 0});
  CHECK(again.weights[1] == whole.weights[1]);
}

TEST_CASE("a resumed run has the samples of before, and those that follow") {
  const Folder folder;
  TrainOptions options = options_in(folder);
  options.steps = 20;
  options.eval_every = 5;
  const auto train_to = [&](const std::string& stop_at) {
    options.stop_at = stop_at;
    Run run({.name = "scale", .options = options});
    const Scale model;
    data::Loader loader(MadeUp(), run.loader_options());
    const auto optimizer = run.optimizer(model, loader.batches());
    try {
      run.train(
          model, *optimizer, loader, [&](const auto& batch) { return mean(std::get<0>(batch) * model.weight); },
          [&] {
            run.sample_text("weight", formatted("{}", model.weight.value()));
            return Metrics{};
          });
      run.finish();
    } catch (const Stopped&) {
    }
    return nlohmann::json::parse(Folder::read(folder / "run/samples.json"));
  };
  const auto half = train_to("10");
  REQUIRE(half.size() == 2);
  options.resume = true;
  const auto whole = train_to("");
  REQUIRE(whole.size() == 4);
  CHECK(whole[0] == half[0]);
  CHECK(whole[1] == half[1]);
  CHECK(whole[2] != whole[1]);
  // Without the file the run goes on, says so, and shows what it makes from there on.
  std::filesystem::remove_all(folder / "run");
  options.resume = false;
  train_to("10");
  std::filesystem::remove(folder / "run/samples.json");
  options.resume = true;
  CHECK(train_to("").size() == 2);
}

TEST_CASE("samples are JSON that the report reads") {
  const Folder folder;
  TrainOptions options = options_in(folder);
  options.steps = 1;
  Run run({.name = "scale", .options = options});
  const Scale model;
  data::Loader loader(MadeUp(), run.loader_options());
  const auto optimizer = run.optimizer(model, loader.batches());
  run.train(
      model, *optimizer, loader, [&](const auto& batch) { return mean(std::get<0>(batch) * model.weight); },
      [] { return Metrics{}; });
  run.sample_text("a \"title\"", "two\nlines, and a byte that is no UTF-8: \xff");
  run.sample_image("boot", "seen as: shoe", from({0.0f, 0.5f, 1.0f, 2.0f, -1.0f}, {1, 5, 1}));
  CHECK_THROWS_WITH_AS(run.sample_image("", "", zeros({2, 2})),
                       "sample_image: pixels f32 [2, 2], expected f32 [height, width, channels]", ShapeError);
  run.finish();
  const auto samples = nlohmann::json::parse(Folder::read(folder / "run/samples.json"));
  REQUIRE(samples.size() == 2);
  CHECK(samples[0]["kind"] == "text");
  CHECK(samples[0]["title"] == "a \"title\"");
  const nlohmann::json expected = {{"kind", "image"}, {"title", "boot"}, {"caption", "seen as: shoe"}, {"height", 1},
                                   {"width", 5},      {"channels", 1},   {"pixels", "AID//wA="}};
  CHECK(samples[1] == expected);
}

TEST_CASE("a model that is frozen is an error, not a run that changes nothing") {
  const Folder folder;
  Run run({.name = "scale", .options = options_in(folder)});
  const Scale model;
  model.freeze();
  data::Loader loader(MadeUp(), run.loader_options());
  const auto optimizer = run.optimizer(model, loader.batches());
  const Parameter other(full({4}, 1.0f), Role::weight);
  CHECK_THROWS_WITH_AS(
      run.train(
          model, *optimizer, loader, [&](const auto& batch) { return mean(std::get<0>(batch) * other); },
          [] { return Metrics{}; }),
      "step 1: there is nothing to train: all parameters of the optimizer are frozen", ValueError);
}

TEST_CASE("a parameter left out of members() is an error before the second step") {
  struct Forgetful : nn::Module {
    Parameter weight{full({4}, 1.0f), Role::weight}, forgotten{full({4}, 1.0f), Role::bias};
    void members(nn::Members& m) const override { m("weight", weight); }
  };
  const auto steps_made = [](bool freeze, bool temporary) {
    const Folder folder;
    Run run({.name = "scale", .options = options_in(folder)});
    Forgetful model;
    if (freeze) model.forgotten.freeze();
    data::Loader loader(MadeUp(), run.loader_options());
    const auto optimizer = run.optimizer(model, loader.batches());
    int steps = 0;
    const auto loss = [&](const auto& batch) {
      ++steps;
      const Tensor y = std::get<0>(batch) * model.weight;
      return temporary ? mean(y * Parameter(full({4}, 1.0f), Role::weight)) : mean(y + model.forgotten);
    };
    try {
      run.train(model, *optimizer, loader, loss, [] { return Metrics{}; });
    } catch (const ValueError& error) {
      CHECK(
          std::string(error.what()) ==
          "a parameter [4] (bias) gets gradients, but neither a model nor an optimizer of the run has it: it would be "
          "neither trained nor saved; is it missing in members()? freeze() what is to stay as it is");
    }
    return steps;
  };
  CHECK(steps_made(false, false) == 2);
  CHECK(steps_made(true, false) == 20);
  CHECK(steps_made(false, true) == 20);  // what lives for one step is no part of the model
}
