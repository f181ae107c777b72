#include <temper/autograd/tape.hpp>

#include <algorithm>

#include <temper/core/random.hpp>

#include <temper/autograd/random.hpp>

#include "framework/autograd/recorder_internal.hpp"
#include "framework/core/format_internal.hpp"

namespace temper {

namespace detail {

namespace {

template <class T>
void make_room_in(std::vector<T>& elements) {
  if (elements.size() == elements.capacity()) elements.reserve(std::max<std::size_t>(64, 2 * elements.size()));
}

}  // namespace

void Recorder::begin(Mode mode) {
  if (tracing()) trace_mark();
  training_tape_ = mode == Mode::train ? next_training_tape() : 0;
  born_ = next_tensor_id();
  calls_ = 0;
  used_frozen_ = false;
  only_ = nullptr;
  state_ = State::recording;
  scope_.mode = mode;
  enter(scope_);
}

void Recorder::clear() {
  for (Node& node : nodes_) destroy(node);
  nodes_.clear();
  slots_.clear();
  map_.clear();
  block_inputs_.clear();
  while (saved_ != nullptr) unlink(*saved_);  // held by somebody who outlives the tape
  arena_.rewind({});
  scope_.abandoned = false;
  state_ = State::done;
}

std::int32_t Recorder::slot_of_input(const Tensor& x) {
  if (!x.defined()) return constant;
  const std::int32_t known = map_.find(x.id());
  if (known >= 0) {
    const Slot& slot = slots_[index(known)];
    if (!slot.parameter || !slot.parameter->frozen) return known;
    used_frozen_ = true;
    return slot.watched ? known : constant;
  }
  if (auto parameter = parameter_of(x)) {
    if (!parameter->frozen) return add_source(x, std::move(parameter), false);
    used_frozen_ = true;
  }
  if (known == SlotMap::absent) map_.set(x.id(), constant);
  return constant;
}

std::int32_t Recorder::add_source(const Tensor& x, std::shared_ptr<ParameterState> parameter, bool watched) {
  make_room();
  const auto slot = static_cast<std::int32_t>(slots_.size());
  slots_.push_back({x.shape(), x.dtype(), x.version(), -1, std::move(parameter), Tensor(), watched});
  ask(slots_.back());
  map_.set(x.id(), slot);
  return slot;
}

void Recorder::watch(const Tensor& x) {
  if (state_ != State::recording) fail<TapeError>("watch: this tape has already run backward");
  if (!on_this_thread(scope_)) fail<TapeError>("watch: this tape was made on another thread");
  if (within_block(this)) fail<TapeError>("watch: a block that recompute runs cannot watch a tensor");
  if (!x.defined()) fail<ValueError>("watch: an undefined tensor");
  if (x.dtype() != Dtype::f32 && x.dtype() != Dtype::bf16) {
    fail<TapeError>("watch: tensor {} is {}, only f32 and bf16 have a gradient", x.shape(), x.dtype());
  }
  const std::int32_t known = map_.find(x.id());
  if (known == constant) {
    fail<TapeError>(
        "watch: tensor {} was used on this tape before; watch it first, or that use is missing in its "
        "gradient",
        x.shape());
  }
  if (known >= 0) {
    slots_[index(known)].watched = true;
    slots_[index(known)].leads_on = true;
  } else {
    add_source(x, parameter_of(x), true);
  }
}

bool Recorder::would_record(std::span<const Tensor> inputs) const {
  return std::ranges::any_of(inputs, [this](const Tensor& input) {
    if (!input.defined()) return false;
    if (const std::int32_t slot = map_.find(input.id()); slot >= 0) {
      const Slot& known = slots_[index(slot)];
      return known.watched || (known.leads_on && !(known.parameter && known.parameter->frozen));
    }
    const auto parameter = parameter_of(input);
    return parameter && !parameter->frozen;
  });
}

void* Recorder::begin_record(const char* name, std::span<const Tensor> inputs, std::size_t bytes) {
  const Arena::Mark before = arena_.mark();
  auto* slots = static_cast<std::int32_t*>(arena_.allocate(inputs.size() * sizeof(std::int32_t)));
  begun_ = {name, slots, static_cast<std::int32_t>(inputs.size()), 0, bytes};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    slots[i] = slot_of_input(inputs[i]);
    if (!wants(slots[i])) continue;
    begun_.wanted |= bit_of(i);
    const Slot& slot = slots_[index(slots[i])];
    if (slot.node >= 0 && slot.version != inputs[i].version()) {
      fail<TapeError>("{}: input {} {} was changed in place after it was recorded, of which its gradient knows nothing",
                      name, i, slot.shape);
    }
  }
  if (begun_.wanted == 0) {
    arena_.rewind(before);
    return nullptr;
  }
  make_room();
  return arena_.allocate(bytes);
}

void Recorder::make_room() {
  make_room_in(nodes_);
  make_room_in(slots_);
  map_.make_room();
}

void Recorder::end_record(const Tensor& y, Closure closure) {
  if (!y.defined()) {
    closure.destroy(closure.object);
    fail<ValueError>("{}: recorded an undefined tensor", begun_.name);
  }
  add_node(y, begun_, closure);
}

void Recorder::add_node(const Tensor& y, const Begun& begun, Closure closure) noexcept {
  const auto node = static_cast<std::int32_t>(nodes_.size()), output = static_cast<std::int32_t>(slots_.size());
  nodes_.push_back({begun.name, closure, begun.inputs, begun.input_count, output});
  slots_.push_back({y.shape(), y.dtype(), y.version(), node, nullptr, Tensor(), false});
  slots_.back().leads_on = true;
  map_.set(y.id(), output);
  // The tensors the closure saved, which are the last that were linked: those that no wanted gradient needs are let go.
  const auto* const begin = static_cast<const std::byte*>(closure.object);
  for (Saved* saved = saved_; saved != nullptr;) {
    const auto* const place = reinterpret_cast<const std::byte*>(saved);
    if (std::less<>()(place, begin) || !std::less<>()(place, begin + begun.bytes)) break;
    Saved* const next = saved->next_;
    saved->node_ = node;
    if ((saved->needed_by_ & begun.wanted) == 0) {
      unlink(*saved);
      saved->tensor_ = Tensor();
    }
    saved = next;
  }
}

void* begin_record(const char* name, std::span<const Tensor> inputs, std::size_t bytes) {
  const Scope* scope = innermost();
  if (scope == nullptr || scope->recorder == nullptr) return nullptr;
  if (scope->kind != Scope::Kind::first_run) return scope->recorder->begin_record(name, inputs, bytes);
  for (const Tensor& input : inputs) scope->recorder->note_input(input);
  return nullptr;
}

void end_record(const Tensor& y, Closure closure) { innermost()->recorder->end_record(y, closure); }

void trace_recorded(const char* name, const Tensor& y, std::span<const Tensor> inputs) {
  if (!y.defined()) return;  // which is an error soon
  std::string shapes;
  for (const Tensor& input : inputs) {
    if (!input.defined()) continue;
    if (!shapes.empty()) shapes += ", ";
    shapes += to_string(input.shape());
  }
  trace_operation(name, shapes + " -> " + to_string(y.shape()));
}

RandomStream dropout_stream() {
  const Scope* scope = innermost();
  // Without a tape (statistics are re-estimated) every call is a draw of its own.
  if (scope == nullptr || scope->recorder == nullptr) return next_draw();
  return {random_seed(), RandomUse::dropout, scope->recorder->training_tape(), scope->recorder->next_call()};
}

}  // namespace detail

Tape::Tape(Mode mode) : recorder_(detail::take_recorder(), detail::end_tape) { recorder_->begin(mode); }
Tape::~Tape() = default;

void Tape::watch(const Tensor& x) { recorder_->watch(x); }
void Tape::backward(const Tensor& loss) { recorder_->backward(loss, nullptr); }
void Tape::backward(const Tensor& loss, std::span<const Parameter> parameters) {
  recorder_->backward(loss, &parameters);
}
Tensor Tape::gradient(const Tensor& x) const { return recorder_->gradient(x); }
std::int64_t Tape::size() const { return recorder_->size(); }

bool recording(std::initializer_list<Tensor> inputs) {
  const detail::Scope* scope = detail::innermost();
  return scope != nullptr && scope->recorder != nullptr && scope->kind != detail::Scope::Kind::first_run &&
         scope->recorder->would_record({inputs.begin(), inputs.size()});
}

Tensor stop_gradient(const Tensor& x) {
  if (!x.defined()) fail<ValueError>("stop_gradient: input is an undefined tensor");
  return record("stop_gradient", detail::alias(x, x.shape()), {x});
}

Saved::Saved(const Tensor& tensor, std::uint32_t needed_by) : tensor_(tensor), needed_by_(needed_by) {
  if (!tensor.defined()) return;
  version_ = tensor.version();
  const detail::Scope* scope = detail::innermost();
  if (scope == nullptr || scope->recorder == nullptr) return;
  if (scope->kind == detail::Scope::Kind::first_run) scope->recorder->note_input(tensor);
  scope->recorder->link(*this);
}

Saved::Saved(const Saved& other) : tensor_(other.tensor_), version_(other.version_), needed_by_(other.needed_by_) {
  if (other.recorder_ != nullptr) other.recorder_->link(*this);
}

Saved::Saved(Saved&& other) noexcept
    : tensor_(std::move(other.tensor_)), version_(other.version_), needed_by_(other.needed_by_) {
  if (other.recorder_ != nullptr) other.recorder_->move_link(other, *this);
}

Saved::~Saved() {
  if (recorder_ != nullptr) recorder_->unlink(*this);
}

Saved save(const Tensor& tensor, std::initializer_list<int> inputs) {
  std::uint32_t needed_by = 0;
  for (const int input : inputs) needed_by |= detail::bit_of(static_cast<std::size_t>(input));
  return Saved(tensor, needed_by);
}

}  // namespace temper
