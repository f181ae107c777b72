#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include <temper/temper.hpp>

#include "tests/data/files.hpp"
#include "tests/larger.hpp"

using namespace temper;

namespace {

struct Net : nn::Layer {
  explicit Net(std::int64_t width = 6) : in(4, width), middle(width, width, {.bias = false}), out(width, 3) {}
  void members(nn::Members& m) const override {
    m("in", in);
    m("block.middle", middle);
    m("out", out);
  }
  nn::Linear in, middle, out;

 protected:
  Tensor forward(const Tensor& x) const override { return out(middle.silu(in.gelu(x))); }
};

double largest(const Tensor& x) {
  double found = 0;
  for (const float value : x.values<float>()) found = temper_test::larger(found, std::abs(static_cast<double>(value)));
  return found;
}

/// Some updates towards random targets.
void train(const Net& net, optim::Optimizer& optimizer, const Tensor& x, const Tensor& targets, int steps) {
  for (int step = 0; step < steps; ++step) {
    Tape tape;
    tape.backward(mse_loss(net(x), targets));
    optimizer.step();
  }
}

}  // namespace

TEST_CASE("an adapter changes nothing at first, and is W x + b + alpha / rank * B A x") {
  manual_seed(1);
  Net net;
  const Tensor x = normal({5, 4}), before = net(x);
  const nn::Lora adapters = nn::lora(net, {.rank = 2, .alpha = 6, .targets = "in|middle"});
  CHECK(adapters.targets() == std::vector<std::string>{"in", "block.middle"});
  CHECK(adapters.parameters().size() == 4);
  CHECK(adapters.parameters()[2].name() == "block.middle.lora_A.weight");
  CHECK(adapters.parameters()[2].shape() == Shape{2, 6});
  CHECK(adapters.parameters()[3].shape() == Shape{6, 2});
  CHECK(largest(net(x) - before) == 0.0);
  CHECK(net.parameters().size() == 9);

  Parameter(adapters.parameters()[1]).set_value(normal({6, 2}));
  const nn::LowRank& rank = *net.in.low_rank;
  const Tensor expected = linear(x, net.in.weight, net.in.bias) + 3.0f * linear(linear(x, rank.a), rank.b);
  CHECK(largest(net.in(x)-expected) <= 1e-6);
  CHECK(largest(net.in.gelu(x) - gelu(expected)) <= 1e-6);
  CHECK(largest(net.in.relu(x) - relu(expected)) <= 1e-6);
  CHECK(largest(net.in.silu(x) - silu(expected)) <= 1e-6);
}

TEST_CASE("only adapters are trained; merged, the model computes the same") {
  manual_seed(2);
  Net net;
  const Tensor x = normal({16, 4}), targets = normal({16, 3});
  Tensors before;
  for (const auto& [name, tensor] : state_dict(net)) before.emplace(name, tensor.clone());
  const nn::Lora adapters = nn::lora(net, {.rank = 2, .alpha = 4, .targets = "*"});
  CHECK(adapters.targets().size() == 3);
  optim::AdamW adamw(adapters.parameters(), {.lr = 1e-2});
  const float first = mse_loss(net(x), targets).item();
  train(net, adamw, x, targets, 60);
  CHECK(mse_loss(net(x), targets).item() < 0.8f * first);
  for (const Parameter& parameter : net.parameters()) {
    CAPTURE(parameter.name());
    CHECK(!parameter.gradient().defined());
    const auto kept = before.find(parameter.name());
    if (kept == before.end()) continue;
    CHECK(parameter.frozen());
    CHECK(std::ranges::equal(parameter.value().values<float>(), kept->second.values<float>()));
  }
  // Two moments for each element of the adapters, and none for others.
  std::int64_t moments = 0, elements = 0;
  for (const auto& [name, tensor] : adamw.state().tensors)
    moments += name.find("exp_avg") != name.npos ? tensor.numel() : 0;
  for (const Parameter& parameter : adapters.parameters()) elements += parameter.value().numel();
  CHECK(moments == 2 * elements);

  const Tensor unmerged = net(x);
  nn::merge_lora(net);
  CHECK(net.parameters().size() == before.size());
  CHECK(largest(net(x) - unmerged) <= 1e-5);
  CHECK(largest(net.middle.weight - before.at("block.middle.weight")) > 1e-3);
}

TEST_CASE("a frozen model saves nothing for the gradients of its weights") {
  manual_seed(3);
  Net net(64);
  const Tensor x = normal({4, 4});
  const nn::Lora adapters = nn::lora(net, {.rank = 2, .targets = "out"});
  Tape tape;
  const Tensor y = net(x);
  // Nothing before the first adapter is recorded at all.
  CHECK(tape.size() <= 5);
  tape.backward(sum(y));
  CHECK(adapters.parameters()[1].gradient().defined());
}

TEST_CASE("training with adapters is resumed exactly from the adapters alone") {
  const temper_test::Folder folder;
  manual_seed(4);
  const Tensor x = normal({16, 4}), targets = normal({16, 3});
  const nn::LoraOptions options = {.rank = 3, .targets = "in|out"};
  Net whole;
  save(folder / "base.safetensors", whole);
  const nn::Lora adapters = nn::lora(whole, options);
  optim::AdamW adamw(adapters.parameters(), {.lr = 1e-2});
  train(whole, adamw, x, targets, 5);
  save_checkpoint(folder / "half.safetensors", checkpoint_of(adapters, adamw, {}));
  train(whole, adamw, x, targets, 5);

  Net half;
  load(folder / "base.safetensors", half);
  nn::Lora again = nn::lora(half, options);
  optim::AdamW other(again.parameters(), {.lr = 1e-2});
  restore(load_checkpoint(folder / "half.safetensors"), again, other);
  train(half, other, x, targets, 5);
  CHECK(largest(half(x) - whole(x)) == 0.0);
  // Saved adapters belong to the model beside them.
  save(folder / "adapters.safetensors", adapters);
  CHECK(load_tensors(folder / "adapters.safetensors").tensors.size() == 4);
}

TEST_CASE("lora refuses what it cannot do, and leaves the model as it was") {
  Net net;
  CHECK_THROWS_WITH_AS(nn::lora(net), "lora: no Linear is called 'q_proj'; there are: in, middle, out", ValueError);
  CHECK_THROWS_WITH_AS(nn::lora(net, {.targets = "in|iddle"}),
                       "lora: no Linear is called 'iddle'; there are: in, middle, out", ValueError);
  CHECK_THROWS_WITH_AS(nn::lora(net, {.rank = 0, .targets = "in"}), "lora: rank 0, expected at least 1", ValueError);
  CHECK_THROWS_WITH_AS(nn::lora(net, {.alpha = 0, .targets = "in"}), "lora: alpha 0, expected above 0", ValueError);
  CHECK_THROWS_WITH_AS(nn::lora(net, {.dropout = 1, .targets = "in"}), "lora: dropout 1, expected from 0 to below 1",
                       ValueError);
  CHECK(!net.in.weight.frozen());
  nn::lora(net, {.targets = "in"});
  CHECK_THROWS_WITH_AS(nn::lora(net, {.targets = "in"}), "lora: 'in' has an adapter", ValueError);
  Net tied;
  tied.out.weight = tied.in.weight;
  CHECK_THROWS_WITH_AS(nn::lora(tied, {.targets = "in|out"}), "lora: 'in' and 'out' share their weight", ValueError);
}

TEST_CASE("an adapter's dropout belongs to training, its stabilized scale to the rank") {
  manual_seed(5);
  nn::Sequential net(nn::Linear(8, 8));
  const nn::Lora adapters =
      nn::lora(net, {.rank = 4, .alpha = 8, .dropout = 0.5, .targets = "0", .rank_stabilized = true});
  Parameter(adapters.parameters()[1]).set_value(ones({8, 4}));
  const Tensor x = normal({3, 8}), evaluated = net(x);
  CHECK(nn::modules<nn::Linear>(net)[0]->low_rank->scale == 4.0f);
  CHECK(largest(net(x) - evaluated) == 0.0);
  const Tape tape;
  CHECK(largest(net(x) - evaluated) > 1e-3);
}
