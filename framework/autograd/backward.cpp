// The way back: from the loss through what was recorded to the parameters.

#include <algorithm>
#include <utility>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/autograd/recorder_internal.hpp"
#include "framework/kernels/elementwise.hpp"

namespace temper {

namespace detail {

namespace {

/// An operation may hand one tensor to several inputs (add does): whoever adds to it needs its own.
void make_unique(Tensor& tensor) {
  if (tensor.defined() && !tensor.unique()) tensor = copy(tensor);
}

}  // namespace

void Recorder::backward(const Tensor& loss, const std::span<const Parameter>* only) {
  if (state_ != State::recording) fail<TapeError>("backward: this tape has already run backward");
  if (!on_this_thread(scope_)) fail<TapeError>("backward: this tape was made on another thread");
  if (within_block(this)) fail<TapeError>("backward: called in a block that recompute runs");
  if (!loss.defined()) fail<ValueError>("backward: loss is an undefined tensor");
  if (loss.numel() != 1) fail<TapeError>("backward: loss has shape {}, expected one element", loss.shape());
  const std::int32_t root = slot_of_root("backward", "loss", loss);
  plan_all(root, only);
  try {
    check_saved();
  } catch (...) {
    plan_all(constant, nullptr);
    throw;
  }

  leave(scope_);
  state_ = State::walking;
  const NoTape unrecorded;
  try {
    destroy_unneeded(0);
    slots_[index(root)].gradient = converted(ones(loss.shape()), gathered_in(slots_[index(root)]));
    walk(0);
    deliver();
  } catch (...) {
    clear();
    throw;
  }
  only_ = nullptr;
  state_ = State::done;
}

void Recorder::ask(Slot& slot) const {
  const ParameterState* const parameter = slot.parameter.get();
  slot.delivers = parameter != nullptr && !parameter->frozen &&
                  (only_ == nullptr ||
                   std::ranges::any_of(*only_, [=](const Parameter& listed) { return listed.id() == parameter; }));
  slot.leads_on = slot.watched || slot.delivers;
}

std::int32_t Recorder::slot_of_root(const char* call, const char* argument, const Tensor& root) {
  if (const std::int32_t slot = slot_of_input(root); slot >= 0) return slot;
  const char* why = "it depends on no parameter and no watched tensor used since the tape began";
  if (root.id() < born_) {
    why = "it was made before the tape began";
  } else if (used_frozen_) {
    why = "it depends on no watched tensor and on no parameter that is not frozen; see Parameter::unfreeze";
  }
  for (const Scope* scope = innermost(); scope != nullptr; scope = scope->outer) {
    if (scope->recorder != nullptr && scope->recorder->map_.find(root.id()) >= 0) why = "another tape did that";
  }
  fail<TapeError>("{}: {} {} was not recorded on this tape: {}", call, argument, root.shape(), why);
}

void Recorder::plan_all(std::int32_t root, const std::span<const Parameter>* only) {
  only_ = only;
  for (Slot& slot : slots_) {
    slot.reached = false;
    if (slot.node < 0) ask(slot);
  }
  plan(root, 0);
}

void Recorder::plan(std::int32_t root, std::size_t first) {
  for (std::size_t i = first; i < nodes_.size(); ++i) {
    Slot& output = slots_[index(nodes_[i].output)];
    const std::span inputs(nodes_[i].inputs, index(nodes_[i].input_count));
    nodes_[i].needed = std::ranges::any_of(inputs, [this](std::int32_t input) { return wants(input); });
    output.leads_on = output.watched || nodes_[i].needed;
  }
  if (root >= 0) slots_[index(root)].reached = true;
  for (std::size_t i = nodes_.size(); i-- > first;) {
    Node& node = nodes_[i];
    node.needed = node.needed && slots_[index(node.output)].reached;
    for (std::int32_t k = 0; node.needed && k < node.input_count; ++k) {
      if (wants(node.inputs[k])) slots_[index(node.inputs[k])].reached = true;
    }
  }
}

void Recorder::destroy_unneeded(std::size_t first) {
  for (std::size_t i = first; i < nodes_.size(); ++i) {
    if (!nodes_[i].needed) destroy(nodes_[i]);
  }
}

void Recorder::check_saved(const char* call, const std::function<bool(std::int32_t, std::int32_t)>& needs) const {
  const auto needed = [&](const Saved& saved) {
    if (saved.node_ < 0) return true;
    const Node& node = nodes_[index(saved.node_)];
    for (std::int32_t i = 0; i < node.input_count; ++i) {
      if ((saved.needed_by_ & bit_of(index(i))) != 0 && needs(saved.node_, node.inputs[i])) return true;
    }
    return false;
  };
  for (const Saved* saved = saved_; saved != nullptr; saved = saved->next_) {
    const std::uint32_t now = saved->tensor_.version();
    if (now != saved->version_ && needed(*saved)) {
      fail<TapeError>(
          "{}: a tensor {} that a gradient needs was changed in place after it was used (version {}, saved at {})",
          call, saved->tensor_.shape(), now, saved->version_);
    }
  }
}

void Recorder::check_saved() const {
  check_saved("backward",
              [this](std::int32_t node, std::int32_t input) { return nodes_[index(node)].needed && wants(input); });
}

void Recorder::walk(std::size_t rest) {
  while (nodes_.size() > rest) {
    const Node node = nodes_.back();  // not a reference: a block adds nodes
    Slot& output = slots_[index(node.output)];
    // Moved out when nothing but the closure needs it from here on.
    Tensor dy = output.watched ? output.gradient : std::move(output.gradient);
    if (node.needed && dy.defined()) {
      const TraceScope trace(node.name, TraceTrack::backward);
      if (trace.on()) trace_describe(to_string(dy.shape()));
      if (node.closure.call == nullptr) {
        walk_block(node, std::move(dy));
      } else {
        Gradients gradients(*this, node.inputs, node.input_count);
        node.closure.call(node.closure.object, dy, gradients);
      }
    }
    destroy(nodes_.back());
    nodes_.pop_back();
  }
}

void Recorder::deliver() {
  const auto to_deliver = [](const Slot& slot) {
    return slot.delivers && (slot.gradient.defined() || slot.rows.defined());
  };
  // All that may fail first.
  row_sums_.clear();
  for (Slot& slot : slots_) {
    if (!to_deliver(slot)) continue;
    if (thread_scopes.receivers != nullptr) thread_scopes.receivers->emplace_back(slot.parameter);
    const std::lock_guard lock(slot.parameter->gathering);
    if (slot.rows.defined()) {
      row_sums_.emplace_back(slot.parameter->rows.rows, add_rows(slot.parameter->rows, slot.rows));
    } else {
      make_unique(slot.parameter->gradient);
    }
  }
  auto row_sum = row_sums_.begin();
  for (Slot& slot : slots_) {
    if (!to_deliver(slot)) continue;
    const std::lock_guard lock(slot.parameter->gathering);
    if (slot.rows.defined()) {
      RowGradient& rows = slot.parameter->rows;
      auto& [waited, with_rows] = *row_sum++;
      const bool same = rows.defined() ? waited.defined() && waited.id() == rows.rows.id() : !waited.defined();
      rows = same ? std::move(with_rows) : add_rows(rows, slot.rows);  // another thread may have added some meanwhile
      if (!slot.watched) slot.rows = RowGradient();
      continue;
    }
    Tensor& sum = slot.parameter->gradient;
    if (sum.defined()) {
      make_unique(sum);
      kernels::accumulate(sum.mutable_data<float>(), slot.gradient.data<float>(), sum.numel());
    } else {
      sum = slot.gradient;
    }
    if (!slot.watched) slot.gradient = Tensor();
  }
  row_sums_.clear();
}

Tensor Recorder::gradient(const Tensor& x) const {
  if (state_ != State::done) fail<TapeError>("gradient: call backward first");
  const std::int32_t known = map_.find(x.id());
  if (known < 0 || !slots_[index(known)].watched) {
    fail<TapeError>("gradient: tensor {} was not watched by this tape", x.shape());
  }
  const Slot& slot = slots_[index(known)];
  if (slot.rows.defined()) return slot.rows.dense(slot.shape[0]);
  return slot.gradient.defined() ? slot.gradient : zeros(slot.shape, gathered_in(slot));
}

void Recorder::check_given(const Slot& slot, const Tensor& gradient) const {
  require_dense(slot);
  const Dtype given = gradient.dtype();
  if (!(gradient.shape() == slot.shape) || (given != Dtype::f32 && given != slot.dtype)) {
    fail<TapeError>("{}: backward gave a gradient of {} {}, expected {} {}", node_name(), given, gradient.shape(),
                    slot.dtype, slot.shape);
  }
}

void Recorder::give(std::int32_t slot_number, Tensor gradient) {
  if (recorded_walk_ != nullptr) return give_recorded(slot_number, std::move(gradient));
  Slot& slot = slots_[index(slot_number)];
  check_given(slot, gradient);
  const Dtype dtype = gathered_in(slot), given = gradient.dtype();
  Tensor& sum = slot.gradient;
  if (!sum.defined()) {
    sum = converted(std::move(gradient), dtype);
    return;
  }
  make_unique(sum);
  if (given == Dtype::bf16 && dtype == Dtype::f32) {
    kernels::accumulate(sum.mutable_data<float>(), gradient.data<BFloat16>(), sum.numel());
  } else if (dtype == Dtype::f32) {
    kernels::accumulate(sum.mutable_data<float>(), gradient.data<float>(), sum.numel());
  } else {
    const Tensor same = converted(std::move(gradient), dtype);
    kernels::accumulate(sum.mutable_data<BFloat16>(), same.data<BFloat16>(), sum.numel());
  }
}

void Recorder::require_dense(const Slot& slot) const {
  if (!gathers_rows(slot)) return;
  fail<TapeError>(
      "{}: its gradient of parameter {} is dense, and that is sparse; only embedding and embedding_bag take sparse "
      "parameters (a table used otherwise as well, as tied weights are, cannot be one)",
      node_name(), slot.shape);
}

void Recorder::give_rows(std::int32_t slot_number, RowGradient gradient) {
  Slot& slot = slots_[index(slot_number)];
  const auto& [rows, values] = gradient;
  if (!gathers_rows(slot) || !rows.defined() || !(values.shape() == Shape{rows.numel(), slot.shape[1]})) {
    fail<TapeError>("{}: backward gave a gradient of rows, {}, for {} {}, expected [n, width] for a sparse parameter",
                    nodes_.back().name, values.defined() ? to_string(values.shape()) : "undefined", slot.dtype,
                    slot.shape);
  }
  slot.rows = add_rows(slot.rows, gradient);
}

Gradients::Target Recorder::into(std::int32_t slot_number) {
  if (recorded_walk_ != nullptr) {
    fail<TapeError>("{}: backward is marked differentiable, but asked for a buffer instead of giving what it recorded",
                    node_name());
  }
  Slot& slot = slots_[index(slot_number)];
  require_dense(slot);
  Tensor& sum = slot.gradient;
  const bool accumulate = sum.defined();
  if (accumulate) {
    make_unique(sum);
  } else {
    sum = empty(slot.shape, gathered_in(slot));
  }
  return {sum, accumulate};
}

void Recorder::link(Saved& saved) {
  saved.recorder_ = this;
  saved.previous_ = nullptr;
  saved.next_ = saved_;
  if (saved_ != nullptr) saved_->previous_ = &saved;
  saved_ = &saved;
}

void Recorder::unlink(Saved& saved) {
  (saved.previous_ != nullptr ? saved.previous_->next_ : saved_) = saved.next_;
  if (saved.next_ != nullptr) saved.next_->previous_ = saved.previous_;
  saved.recorder_ = nullptr;
}

void Recorder::move_link(Saved& from, Saved& to) {
  to.recorder_ = std::exchange(from.recorder_, nullptr);
  to.previous_ = from.previous_;
  to.next_ = from.next_;
  (to.previous_ != nullptr ? to.previous_->next_ : saved_) = &to;
  if (to.next_ != nullptr) to.next_->previous_ = &to;
}

}  // namespace detail

std::int32_t Gradients::slot_of(int input) const {
  if (input < 0 || input >= count_) {
    fail<TapeError>("{}: backward spoke of input {}, the operation recorded {}", recorder_.node_name(), input, count_);
  }
  return slots_[input];
}

bool Gradients::wants(int input) const { return recorder_.wanted(slot_of(input)); }

Shape Gradients::shape(int input) const {
  if (!wants(input)) {
    fail<TapeError>("{}: backward asked for the shape of input {}, whose gradient nobody wants", recorder_.node_name(),
                    input);
  }
  return recorder_.shape(slot_of(input));
}

void Gradients::give(int input, Tensor gradient) {
  if (wants(input)) recorder_.give(slot_of(input), std::move(gradient));
}

bool Gradients::sparse(int input) const { return recorder_.sparse(slot_of(input)); }

void Gradients::give_rows(int input, RowGradient gradient) {
  if (wants(input)) recorder_.give_rows(slot_of(input), std::move(gradient));
}

Gradients::Target Gradients::into(int input) {
  if (!wants(input))
    fail<TapeError>("{}: backward asked where to put the gradient of input {}, which nobody wants",
                    recorder_.node_name(), input);
  return recorder_.into(slot_of(input));
}

}  // namespace temper
