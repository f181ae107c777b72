#include <temper/nn/lora.hpp>

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/cast.hpp>
#include <temper/autograd/ops/matmul.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/nn/init.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/core/pattern_internal.hpp"

namespace temper::nn {

namespace {

struct NamedLinear {
  std::string name;
  Linear* layer;
};

std::vector<NamedLinear> linears_of(Module& model) {
  std::vector<NamedLinear> found;
  for (const Child& child : model.children()) {
    // As in modules(): `model` is not const, so its parts may be changed.
    const auto* layer = dynamic_cast<const Linear*>(child.module);
    if (layer != nullptr) found.push_back({child.name, const_cast<Linear*>(layer)});
  }
  return found;
}

bool fits(std::string_view pattern, const std::string& name) {
  return temper::detail::matches(pattern, name) || temper::detail::matches("*." + std::string(pattern), name);
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (std::size_t end = 0; end != text.npos;) {
    end = text.find('|');
    parts.push_back(text.substr(0, end));
    if (end != text.npos) text.remove_prefix(end + 1);
  }
  return parts;
}

void check(const LoraOptions& options) {
  if (options.rank < 1) fail<ValueError>("lora: rank {}, expected at least 1", options.rank);
  if (!(options.alpha > 0.0 && std::isfinite(options.alpha))) {
    fail<ValueError>("lora: alpha {}, expected above 0", options.alpha);
  }
  if (!(options.dropout >= 0.0 && options.dropout < 1.0)) {
    fail<ValueError>("lora: dropout {}, expected from 0 to below 1", options.dropout);
  }
}

/// The Linears that are named.
std::vector<NamedLinear> linears_named(Module& model, const std::string& targets) {
  const std::vector<NamedLinear> all = linears_of(model);
  const std::vector<std::string_view> patterns = split(targets);
  for (const std::string_view pattern : patterns) {
    if (std::ranges::any_of(all, [&](const NamedLinear& each) { return fits(pattern, each.name); })) continue;
    std::vector<std::string> names;
    for (const NamedLinear& each : all) {
      std::string last = each.name.substr(each.name.rfind('.') + 1);
      if (std::ranges::find(names, last) == names.end()) names.push_back(std::move(last));
    }
    fail<ValueError>("lora: no Linear is called '{}'; there are: {}", pattern, fmt::join(names, ", "));
  }
  std::vector<NamedLinear> found;
  for (const NamedLinear& each : all) {
    if (std::ranges::none_of(patterns, [&](std::string_view pattern) { return fits(pattern, each.name); })) continue;
    if (each.layer->low_rank) fail<ValueError>("lora: '{}' has an adapter", each.name);
    for (const NamedLinear& other : found) {
      if (other.layer->weight.same(each.layer->weight)) {
        fail<ValueError>("lora: '{}' and '{}' share their weight", other.name, each.name);
      }
    }
    found.push_back(each);
  }
  return found;
}

}  // namespace

Lora lora(Module& model, const LoraOptions& options) {
  check(options);
  const std::vector<NamedLinear> targets = linears_named(model, options.targets);
  const auto rank = static_cast<double>(options.rank);
  const double scale = options.alpha / (options.rank_stabilized ? std::sqrt(rank) : rank);
  std::vector<LowRank> adapters;
  for (const NamedLinear& target : targets) {
    const std::int64_t out = target.layer->weight.shape()[0], in = target.layer->weight.shape()[1];
    adapters.push_back({.a = Parameter(fan_in_uniform({options.rank, in}, in), Role::weight),
                        .b = Parameter(zeros({out, options.rank}), Role::weight),
                        .scale = static_cast<float>(scale),
                        .dropout = options.dropout});
  }
  // From here on nothing fails.
  model.freeze();
  Lora made;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    made.targets_.push_back(targets[i].name);
    made.parameters_.push_back(adapters[i].a.named(targets[i].name + ".lora_A.weight"));
    made.parameters_.push_back(adapters[i].b.named(targets[i].name + ".lora_B.weight"));
    targets[i].layer->low_rank = std::move(adapters[i]);
  }
  return made;
}

void merge_lora(Module& model) {
  const NoTape unrecorded;
  for (const NamedLinear& each : linears_of(model)) {
    Linear& layer = *each.layer;
    if (!layer.low_rank) continue;
    const auto& [a, b, scale, dropout] = *layer.low_rank;
    const Tensor sum = to(layer.weight, Dtype::f32) + scale * matmul(to(b, Dtype::f32), to(a, Dtype::f32));
    layer.weight.set_value(to(sum, layer.weight.value().dtype()));
    layer.low_rank.reset();
  }
}

}  // namespace temper::nn
