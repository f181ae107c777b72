// The way back: from the loss through what was recorded to the parameters.

#include <algorithm>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/autograd/recorder_internal.hpp"
#include "framework/core/mutants_internal.hpp"
#include "framework/kernels/elementwise.hpp"

namespace temper {

namespace detail {

namespace {

/// An operation may hand one tensor to several inputs (add does): whoever adds to it needs its own.
void make_unique(Tensor& tensor) {
  if (!tensor.unique() && !mutant(Mutant::shared_gradient_added_to)) tensor = tensor.clone();
}

}  // namespace

void Recorder::backward(const Tensor& loss, const std::span<const Parameter>* only) {
  if (!active_ || walking_) fail<TapeError>("backward: this tape has already run backward");
  if (loss.numel() != 1) fail<TapeError>("backward: loss has shape {}, expected one element", loss.shape());
  const std::int32_t root = slot_of_recorded(loss);
  check_saved();
  if (only != nullptr) restrict_to(*only);

  stop();
  const NoTape unrecorded;
  try {
    slots_[index(root)].gradient = converted(ones(loss.shape()), loss.dtype());
    only_ = only;
    walking_ = true;
    walk(0);
    only_ = nullptr;
  } catch (...) {
    // Half a gradient is worse than none.
    for (Slot& slot : slots_) {
      if (slot.parameter && slot.wanted) slot.parameter->gradient = Tensor();
    }
    only_ = nullptr;
    clear();
    throw;
  }
}

std::int32_t Recorder::slot_of_recorded(const Tensor& loss) const {
  const TapeMark& mark = loss.mark();
  if (mark.tape != serial_) {
    fail<TapeError>(
        "backward: loss {} was not recorded on this tape: it depends on no parameter and no watched tensor used "
        "since the tape began",
        loss.shape());
  }
  return mark.slot;
}

void Recorder::check_saved() const {
  for (const Saved* saved = saved_; saved != nullptr; saved = saved->next_) {
    const std::uint32_t now = saved->tensor_.version();
    if (now != saved->version_) {
      fail<TapeError>(
          "backward: a tensor {} that a gradient needs was changed in place after it was used (version {}, saved at "
          "{})",
          saved->tensor_.shape(), now, saved->version_);
    }
  }
}

bool Recorder::listed(std::span<const Parameter> parameters, const ParameterState* state) {
  return std::ranges::any_of(parameters, [&](const Parameter& parameter) { return parameter.id() == state; });
}

void Recorder::restrict_to(std::span<const Parameter> parameters) {
  for (Slot& slot : slots_) slot.wanted = false;
  for (const Watched& watched : watched_) slots_[index(watched.slot)].wanted = true;
  for (Slot& slot : slots_) {
    slot.wanted = slot.wanted || (slot.parameter && listed(parameters, slot.parameter.get()));
  }
  for (const Node& node : nodes_) {
    bool& wanted = slots_[index(node.output)].wanted;
    for (std::int32_t i = 0; i < node.input_count; ++i) wanted = wanted || wants(node.inputs[i]);
  }
}

void Recorder::walk(std::size_t rest) {
  while (nodes_.size() > rest) {
    const Node node = nodes_.back();  // not a reference: a block adds nodes
    // Moved out: nothing but the closure needs it from here on.
    if (Tensor dy = std::move(slots_[index(node.output)].gradient); dy.defined()) {
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

Tensor Recorder::gradient(const Tensor& x) const {
  if (active_) fail<TapeError>("gradient: call backward first");
  for (const Watched& watched : watched_) {
    if (!watched.tensor.same(x)) continue;
    const Slot& slot = slots_[index(watched.slot)];
    return slot.gradient.defined() ? slot.gradient : zeros(slot.shape, slot.dtype);
  }
  fail<TapeError>("gradient: tensor {} was not watched by this tape", x.shape());
}

void Recorder::give(std::int32_t slot_number, Tensor gradient) {
  Slot& slot = slots_[index(slot_number)];
  const Dtype dtype = gathered_in(slot), given = gradient.dtype();
  if (!(gradient.shape() == slot.shape) || (given != Dtype::f32 && given != slot.dtype)) {
    fail<TapeError>("{}: backward gave a gradient of {} {}, expected {} {}", nodes_.back().name, given,
                    gradient.shape(), slot.dtype, slot.shape);
  }
  Tensor& sum = gathered(slot);
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

Gradients::Target Recorder::into(std::int32_t slot_number) {
  Slot& slot = slots_[index(slot_number)];
  Tensor& sum = gathered(slot);
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
}

}  // namespace detail

std::int32_t Gradients::slot_of(int input) const {
  if (input < 0 || input >= count_) {
    fail<TapeError>("{}: backward spoke of input {}, the operation recorded {}", recorder_.node_name(), input, count_);
  }
  return slots_[input];
}

bool Gradients::wants(int input) const { return recorder_.wants(slot_of(input)); }

void Gradients::give(int input, Tensor gradient) {
  if (wants(input)) recorder_.give(slot_of(input), std::move(gradient));
}

Gradients::Target Gradients::into(int input) {
  if (!wants(input))
    fail<TapeError>("{}: backward asked where to put the gradient of input {}, which nobody wants",
                    recorder_.node_name(), input);
  return recorder_.into(slot_of(input));
}

Saved::Saved(const Tensor& tensor) : tensor_(tensor) {
  if (!tensor.defined()) return;
  version_ = tensor.version();
  if (detail::current != nullptr) detail::current->link(*this);
}

Saved::Saved(const Saved& other) : tensor_(other.tensor_), version_(other.version_) {
  if (other.recorder_ != nullptr) other.recorder_->link(*this);
}

Saved::~Saved() {
  if (recorder_ != nullptr) recorder_->unlink(*this);
}

}  // namespace temper
