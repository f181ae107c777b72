#include <doctest/doctest.h>

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <temper/distributed/distributed.hpp>
#include <temper/temper.hpp>

#include "framework/tensor/bytes_internal.hpp"

using namespace temper;
using namespace temper::distributed;

namespace {

/// 100 images [4, 4, 1] of 3 classes, with noise of their own; every fifth label is to be ignored.
struct Images {
  std::int64_t size() const { return 100; }
  std::pair<Tensor, Tensor> get(std::int64_t i) const {
    const temper::detail::RandomStream random(7, temper::detail::RandomUse::sample, static_cast<std::uint64_t>(i));
    Tensor image = empty({4, 4, 1});
    for (std::int64_t k = 0; k < image.numel(); ++k) {
      const double bright = k % 3 == i % 3 ? 2 : 0;
      image.mutable_data<float>()[k] = static_cast<float>(random.normal(static_cast<std::uint64_t>(k)) + bright);
    }
    return {image, i % 5 == 0 ? indices({-100}).view({}) : indices({i % 3}).view({})};
  }
};

class Network : public nn::Module {
 public:
  Tensor operator()(const Tensor& x) const {
    return head_(dropout(relu(norm_(conv_(x))), 0.4).view({x.size(0), 4 * 4 * 6}));
  }
  void members(nn::Members& m) const override {
    m("conv", conv_);
    m("norm", norm_);
    m("head", head_);
    m("unused", unused_);
  }

 private:
  nn::Conv2d conv_{1, 6, {.kernel = 3, .padding = 1}};
  nn::BatchNorm2d norm_{6};
  nn::Linear head_{4 * 4 * 6, 3};
  nn::Linear unused_{2, 2};
};

struct Setup {
  int shards = 8;
  std::int64_t batch = 24;  // the epochs of 100 end within an update, with a shorter batch
  int updates = 20;
  bool narrow = false;
};

std::string bytes_of(const Tensor& tensor) {
  const auto bytes = temper::detail::bytes_of(tensor);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// What a training ends with: weights, running statistics, moments, averages, losses.
struct Result {
  std::map<std::string, std::string> tensors;
  std::vector<double> losses, norms;
  friend bool operator==(const Result&, const Result&) = default;
};

Result train(Group& group, const Setup& setup) {
  static std::mutex making;  // the threads share the generator
  std::unique_lock lock(making);
  manual_seed(3);
  Network model;
  if (setup.narrow) nn::to_bf16(model);
  lock.unlock();
  optim::AdamW adamw(model.parameters(), {.lr = 1e-2 * optim::cosine(40), .weight_decay = 0.1, .clip_norm = 0.5});
  adamw.average({.decay = 0.9});
  DataParallel parallel(group, model, adamw, {.shards = setup.shards});
  data::Loader loader(Images{}, parallel.loader({.batch_size = setup.batch, .shuffle = true, .seed = 5}));
  Result result;
  while (std::ssize(result.losses) < setup.updates) {
    for (const auto& [images, labels] : loader) {
      double counted = 0;
      for (const std::int64_t label : labels.values<std::int64_t>()) counted += label >= 0 ? 1 : 0;
      const auto report = parallel.step(counted, [&] { return cross_entropy(model(images), labels); });
      if (!report) continue;
      result.losses.push_back(report->loss);
      result.norms.push_back(report->step.grad_norm);
      if (std::ssize(result.losses) == setup.updates) break;
    }
  }
  for (const auto& [name, tensor] : state_dict(model)) result.tensors[name] = bytes_of(tensor);
  for (const auto& [name, tensor] : adamw.state().tensors) result.tensors["optimizer/" + name] = bytes_of(tensor);
  return result;
}

std::vector<Result> trained(int processes, const Setup& setup = {}) {
  std::vector<Result> results(static_cast<std::size_t>(processes));
  run_threads(processes, [&](Group& group) { results[static_cast<std::size_t>(group.rank())] = train(group, setup); });
  return results;
}

}  // namespace

TEST_CASE("20 updates end with the same bytes for 1, 2, 4 and 8 processes") {
  const auto check = [](const Setup& setup, const std::vector<int>& counts) {
    const Result alone = trained(1, setup)[0];
    CHECK(alone.tensors.contains("norm.running_mean"));
    CHECK(alone.losses.front() > alone.losses.back());
    for (const int processes : counts) {
      CAPTURE(processes);
      for (const Result& each : trained(processes, setup)) {
        CHECK(each.losses == alone.losses);
        CHECK(each.norms == alone.norms);
        for (const auto& [name, bytes] : alone.tensors) {
          CAPTURE(name);
          CHECK(each.tensors.at(name) == bytes);
        }
      }
    }
  };
  check({}, {2, 4, 8});
  SUBCASE("six shards") { check({.shards = 6}, {2, 3, 6}); }
  SUBCASE("shards of one example, some of which are ignored altogether") { check({.batch = 8, .updates = 13}, {2, 4}); }
  SUBCASE("bf16") {
    if (nn::bf16_supported()) check({.updates = 5, .narrow = true}, {2, 4});
  }
  SUBCASE("the number of shards matters, as each has dropout masks and statistics of its own") {
    CHECK(trained(1, {.shards = 4})[0].tensors != trained(1)[0].tensors);
  }
}

TEST_CASE("the gradient is that of the mean over all that counts, whatever is in which shard") {
  // A linear model has no noise, so that one batch and its shards have one gradient.
  struct Line : nn::Module {
    nn::Linear weight{1, 2};
    void members(nn::Members& m) const override { m("weight", weight); }
  };
  const auto weights = [](int shards) {
    manual_seed(1);
    Line model;
    optim::SGD sgd(model.parameters(), {.lr = 0.5});
    Group alone;
    DataParallel parallel(alone, model, sgd, {.shards = shards});
    data::Loader loader(
        data::TensorDataset(from({1, 2, 3, 4}, {4, 1}), indices({0, 1, -100, 1})),
        parallel.loader({.batch_size = 4}));
    for (const auto& [x, labels] : loader) {
      double counted = 0;
      for (const std::int64_t label : labels.values<std::int64_t>()) counted += label >= 0 ? 1 : 0;
      parallel.step(counted, [&] { return cross_entropy(model.weight(x), labels); });
    }
    return model.weight.weight.value().clone();
  };
  const Tensor whole = weights(1), cut = weights(4);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(cut.values<float>()[i] == doctest::Approx(whole.values<float>()[i]).epsilon(1e-6));
  }
}

TEST_CASE("what is decided is decided for all: a gradient that is not finite, a loss that is not") {
  for (const bool loss_too : {false, true}) {
    std::vector<std::string> texts(4);
    std::vector<Step> steps(4);
    run_threads(4, [&](Group& group) {
      const auto rank = static_cast<std::size_t>(group.rank());
      Parameter weight(ones({2}), Role::weight);
      struct One : nn::Module {
        explicit One(Parameter its) : weight(std::move(its)) {}
        Parameter weight;
        void members(nn::Members& m) const override { m("weight", weight); }
      } model(weight);
      optim::SGD sgd(model.parameters(), {.lr = 0.1, .nonfinite = optim::NonFinite::skip});
      DataParallel parallel(group, model, sgd, {.shards = 4});
      try {
        for (int update = 0; update < 3; ++update) {
          const bool bad = update == 1 && rank == 2;
          const auto report = parallel.step(1, [&] {
            // The derivative of sqrt at 0 is infinite, and the loss is 0.
            if (!bad) return sum(model.weight);
            return loss_too ? sum(model.weight * std::numeric_limits<float>::infinity())
                            : sum(sqrt(model.weight * 0.0f) * 1.0f);
          });
          if (report && !report->step.applied) texts[rank] += "skipped " + std::string(report->step.bad);
        }
      } catch (const ValueError& error) {
        texts[rank] = error.what();
      }
      steps[rank] = sgd.k();
    });
    for (std::size_t rank = 0; rank < 4; ++rank) {
      CAPTURE(rank);
      CHECK(steps[rank] == (loss_too ? 1 : 2));
      CHECK(texts[rank] == texts[0]);
      CHECK(texts[rank].find(loss_too ? "step 2: the loss is inf" : "skipped") != std::string::npos);
    }
  }
}

TEST_CASE("processes with another model or other options are refused before the first step") {
  const auto text = [](auto&& change) {
    std::string result;
    std::mutex mutex;
    run_threads(2, [&](Group& group) {
      std::unique_lock lock(mutex);
      manual_seed(1);
      const bool other = group.rank() == 1;
      nn::Sequential model(nn::Linear(2, change == 0 && other ? 5 : 4), nn::ReLU());
      if (change == 1 && other) model.parameters()[0].set_value(zeros({4, 2}));
      optim::SGD sgd(model.parameters(), {.lr = change == 2 && other ? 0.2 : 0.1});
      lock.unlock();
      DataParallel parallel(group, model, sgd, {.shards = 2});
      try {
        parallel.step(1, [&] { return sum(model(ones({1, 2}))); });
      } catch (const ValueError& error) {
        const std::lock_guard again(mutex);
        result = error.what();
      }
    });
    return result;
  };
  CHECK(text(0) == "the processes do not train the same: on rank 0 '0.weight' is f32 [4, 2], on rank 1 '0.weight' is "
                   "f32 [5, 2]");
  CHECK(text(1).find("the checksum of '0.weight' is ") != std::string::npos);
  CHECK(text(2) == "the processes do not train the same: on rank 0 lr of group 0 is 0.1, on rank 1 lr of group 0 is 0.2");
}

TEST_CASE("data parallel training refuses what cannot be") {
  Group alone;
  nn::Linear model(1, 1);
  optim::SGD sgd(model.parameters(), {.lr = 0.1});
  DataParallel parallel(alone, model, sgd);
  CHECK_THROWS_WITH_AS(parallel.loader({.batch_size = 12}), "DataParallel: a batch of 12 cannot be cut into 8 equal shards",
                       ValueError);
  CHECK_THROWS_WITH_AS(parallel.step(-1, [] { return scalar(1); }),
                       "DataParallel: a shard of -1 examples, expected 0 or more", ValueError);
  DataParallel one(alone, model, sgd, {.shards = 1});
  CHECK_THROWS_WITH_AS(one.step(0, [] { return scalar(1); }), "DataParallel: step 1: no shard has anything that counts",
                       ValueError);
}
