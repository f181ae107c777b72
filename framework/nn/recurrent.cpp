#include <temper/nn/recurrent.hpp>

#include <temper/autograd/ops/dropout.hpp>
#include <temper/autograd/ops/matmul.hpp>
#include <temper/autograd/ops/shape.hpp>
#include <temper/nn/init.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/nn/optional_internal.hpp"

namespace temper::nn {

namespace {}  // namespace

RecurrentNetwork::RecurrentNetwork(const char* name, RecurrentCell cell, std::int64_t in, std::int64_t hidden,
                                   RecurrentOptions options)
    : name_(name), cell_(cell), in_(in), hidden_(hidden), options_(options) {
  if (in < 1 || hidden < 1 || options.layers < 1) {
    fail<ValueError>("{}: {} inputs, {} hidden, {} layers; expected at least 1 of each", name, in, hidden,
                     options.layers);
  }
  if (!(options.dropout >= 0.0 && options.dropout < 1.0)) {
    fail<ValueError>("{}: dropout is {}, expected from 0 to below 1", name, options.dropout);
  }
  const std::int64_t width = hidden * (cell == RecurrentCell::lstm ? 4 : cell == RecurrentCell::gru ? 3 : 1);
  const std::int64_t directions = options.bidirectional ? 2 : 1;
  for (std::int64_t i = 0; i < options.layers * directions; ++i) {
    const std::int64_t inputs = i < directions ? in : hidden * directions;
    Direction& direction = directions_.emplace_back();
    direction.weight_ih = Parameter(fan_in_uniform({width, inputs}, hidden), Role::weight);
    direction.weight_hh = Parameter(fan_in_uniform({width, hidden}, hidden), Role::weight);
    if (!options.bias) continue;
    direction.bias_ih = Parameter(fan_in_uniform({width}, hidden), Role::bias);
    direction.bias_hh = Parameter(fan_in_uniform({width}, hidden), Role::bias);
  }
}

void RecurrentNetwork::members(Members& members) const {
  const std::size_t per_layer = options_.bidirectional ? 2 : 1;
  for (std::size_t i = 0; i < directions_.size(); ++i) {
    const std::string suffix = fmt::format("_l{}{}", i / per_layer, i % per_layer == 1 ? "_reverse" : "");
    const Direction& direction = directions_[i];
    members("weight_ih" + suffix, direction.weight_ih);
    members("weight_hh" + suffix, direction.weight_hh);
    members("bias_ih" + suffix, direction.bias_ih);
    members("bias_hh" + suffix, direction.bias_hh);
  }
}

std::string RecurrentNetwork::description() const {
  return fmt::format("{}({}, {}{}{}{})", name_, in_, hidden_,
                     options_.layers > 1 ? fmt::format(", {} layers", options_.layers) : "",
                     options_.bidirectional ? ", bidirectional" : "", options_.bias ? "" : ", no bias");
}

RecurrentOutputs RecurrentNetwork::run(const Tensor& x, std::size_t i, const RecurrentState& state) const {
  const Direction& direction = directions_[i];
  const auto first = [&](const Tensor& all) {
    if (!all.defined()) return Tensor();
    const auto at = static_cast<std::int64_t>(i);
    return reshape(slice(all, 0, at, at + 1), {all.size(1), all.size(2)});
  };
  const bool reverse = options_.bidirectional && i % 2 == 1;
  return recurrent(cell_,
                   {.gates = linear(x, direction.weight_ih, optional(direction.bias_ih)),
                    .weight_hh = direction.weight_hh,
                    .bias_hh = optional(direction.bias_hh),
                    .h0 = first(state.h),
                    .c0 = first(state.c),
                    .lengths = state.lengths},
                   reverse);
}

RecurrentResult RecurrentNetwork::operator()(const Tensor& x, const RecurrentState& state) const {
  if (x.rank() != 3 || x.size(2) != in_) {
    fail<ShapeError>("{}: input {}, expected [N, T, {}]", name_, x.shape(), in_);
  }
  for (const Tensor* given : {&state.h, &state.c}) {
    const Shape expected{static_cast<std::int64_t>(directions_.size()), x.size(0), hidden_};
    if (given->defined() && !(given->shape() == expected)) {
      fail<ShapeError>("{}: state {}, input {} expects {}", name_, given->shape(), x.shape(), expected);
    }
  }
  Tensor y = transpose(x, 0, 1);  // [T, N, in], so that the examples of a step are contiguous
  std::vector<Tensor> h, c;
  const std::size_t per_layer = options_.bidirectional ? 2 : 1;
  for (std::size_t i = 0; i < directions_.size(); i += per_layer) {
    if (i > 0) y = dropout(y, options_.dropout);
    std::vector<Tensor> outputs;
    for (std::size_t k = i; k < i + per_layer; ++k) {
      const RecurrentOutputs result = run(y, k, state);
      outputs.push_back(result.y);
      h.push_back(result.h);
      if (result.c.defined()) c.push_back(result.c);
    }
    y = outputs.size() == 1 ? outputs[0] : concat(outputs, -1);
  }
  return {transpose(y, 0, 1), stack(h, 0), c.empty() ? Tensor() : stack(c, 0)};
}

}  // namespace temper::nn
