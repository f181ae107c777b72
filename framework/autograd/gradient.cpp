// Gradients that are recorded themselves: Tape::gradient(y, x). The walk is that of backward.cpp, but it leaves the
// tape as it is: what it marks and sums is its own, and backward functions are kept, because backward will need them
// again.

#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/cast.hpp>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/autograd/recorder_internal.hpp"

namespace temper {

namespace detail {

struct Recorder::RecordedWalk {
  std::vector<bool> leads_on;  // of each slot: to a tensor whose gradient is asked for
  std::vector<Tensor> sums;    // of each slot: its gradient so far
  std::size_t node = 0;        // whose backward function runs
};

const Recorder::Node& Recorder::running() const {
  return recorded_walk_ != nullptr ? nodes_[recorded_walk_->node] : nodes_.back();
}

bool Recorder::wanted_by_walk(std::int32_t slot) const { return slot >= 0 && recorded_walk_->leads_on[index(slot)]; }

void Recorder::give_recorded(std::int32_t slot_number, Tensor gradient) {
  check_given(slots_[index(slot_number)], gradient);
  const Tensor same = to(gradient, gathered_in(slots_[index(slot_number)]));
  Tensor& sum = recorded_walk_->sums[index(slot_number)];
  sum = sum.defined() ? add(sum, same) : same;
}

std::vector<Tensor> Recorder::gradients(const Tensor& y, const std::vector<Tensor>& x) {
  if (state_ != State::recording) fail<TapeError>("gradient: this tape has already run backward");
  if (!on_this_thread(scope_)) fail<TapeError>("gradient: this tape was made on another thread");
  if (within_block(this)) fail<TapeError>("gradient: called in a block that recompute runs");
  if (innermost() != &scope_) {
    fail<TapeError>("gradient: is recorded on this tape, but a tape or NoTape that was begun later lives");
  }
  if (!y.defined()) fail<ValueError>("gradient: y is an undefined tensor");
  if (y.numel() != 1) fail<TapeError>("gradient: y has shape {}, expected one element", y.shape());
  std::vector<std::size_t> asked;
  for (const Tensor& each : x) {
    if (!each.defined()) fail<ValueError>("gradient: x is an undefined tensor");
    if (!would_record({&each, 1})) {
      fail<TapeError>(
          "gradient: x {} is a constant on this tape: neither watched, nor a parameter that is not frozen, "
          "nor computed from one",
          each.shape());
    }
    asked.push_back(index(slot_of_input(each)));
  }
  const std::int32_t root = slot_of_root("gradient", "y", y);

  // Which nodes are between x and y.
  RecordedWalk walk{std::vector<bool>(slots_.size()), std::vector<Tensor>(slots_.size())};
  std::vector<bool> needed(index(slots_[index(root)].node + 1)), reached(slots_.size());
  const auto inputs_of = [this](std::size_t node) {
    return std::span(nodes_[node].inputs, index(nodes_[node].input_count));
  };
  const auto leads_on = [&walk](std::int32_t slot) { return slot >= 0 && walk.leads_on[index(slot)]; };
  for (const std::size_t slot : asked) walk.leads_on[slot] = true;
  for (std::size_t node = 0; node < needed.size(); ++node) {
    needed[node] = std::ranges::any_of(inputs_of(node), leads_on);
    if (needed[node]) walk.leads_on[index(nodes_[node].output)] = true;
  }
  reached[index(root)] = true;
  for (std::size_t node = needed.size(); node-- > 0;) {
    needed[node] = needed[node] && reached[index(nodes_[node].output)];
    if (!needed[node]) continue;
    if (!nodes_[node].closure.differentiable) {
      fail<TapeError>("gradient: {} has no second derivative", nodes_[node].name);
    }
    for (const std::int32_t input : inputs_of(node)) {
      if (leads_on(input)) reached[index(input)] = true;
    }
  }
  check_saved("gradient", [&](std::int32_t node, std::int32_t input) {
    return index(node) < needed.size() && needed[index(node)] && leads_on(input);
  });

  struct Walking {
    Recorder& recorder;
    ~Walking() { recorder.recorded_walk_ = nullptr; }
  } const walking{*this};
  recorded_walk_ = &walk;
  walk.sums[index(root)] = converted(ones(y.shape()), gathered_in(slots_[index(root)]));
  for (walk.node = needed.size(); walk.node-- > 0;) {
    const Node node = nodes_[walk.node];  // not a reference: what is recorded adds nodes
    const Tensor dy = walk.sums[index(node.output)];
    if (!needed[walk.node] || !dy.defined()) continue;
    const TraceScope trace(node.name, TraceTrack::backward);
    if (trace.on()) trace_describe(to_string(dy.shape()));
    Gradients into(*this, node.inputs, node.input_count);
    node.closure.call(node.closure.object, dy, into);
  }

  std::vector<Tensor> found;
  for (const std::size_t slot : asked) {
    const Tensor& sum = walk.sums[slot];
    found.push_back(sum.defined() ? sum : zeros(slots_[slot].shape, gathered_in(slots_[slot])));
  }
  return found;
}

}  // namespace detail

Tensor Tape::gradient(const Tensor& y, const Tensor& x) { return recorder_->gradients(y, {x}).front(); }

std::vector<Tensor> Tape::gradients(const Tensor& y, const std::vector<Tensor>& x) {
  return recorder_->gradients(y, x);
}

std::vector<Tensor> Tape::gradients(const Tensor& y, const std::vector<Parameter>& parameters) {
  std::vector<Tensor> values;
  for (const Parameter& parameter : parameters) values.push_back(parameter.value());
  return recorder_->gradients(y, values);
}

}  // namespace temper
