#include <temper/autograd/tape.hpp>

#include <algorithm>
#include <atomic>

#include <temper/core/random.hpp>

#include <temper/autograd/random.hpp>
#include <temper/autograd/recompute.hpp>

#include "framework/autograd/arena_internal.hpp"
#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/core/mutants_internal.hpp"
#include "framework/kernels/elementwise.hpp"

namespace temper {

namespace detail {

namespace {

/// A value on the tape: the output of an operation, a parameter or a watched tensor.
struct Slot {
  Shape shape;
  Dtype dtype;                                // of the value; a parameter's gradient is f32 whatever it is
  std::shared_ptr<ParameterState> parameter;  // its gradient is gathered here, not in `gradient`
  Tensor gradient;
  bool wanted = true;
};

struct Node {
  const char* name;
  Closure closure;
  const std::int32_t* inputs;  // slots, -1 for a constant; in the arena
  std::int32_t input_count;
  std::int32_t output;
};

struct Watched {
  Tensor tensor;
  std::int32_t slot;
};

/// A block whose operations are recorded when backward comes to it; the object of its node's closure.
struct Block {
  Again again;
  std::span<Saved> inputs;  // what it used of this tape; in the arena
  Mode mode;
  std::uint64_t first_call, calls_end;
  RandomState random;  // as it was before
  bool drew;

  static void destroy(void* object) {
    auto* block = static_cast<Block*>(object);
    std::destroy(block->inputs.begin(), block->inputs.end());
    block->again.destroy(block->again.object);
  }
};

thread_local Recorder* current = nullptr;
thread_local Mode current_mode = Mode::evaluate;
thread_local bool computing_again = false;
std::atomic<std::uint64_t> last_serial{0};

}  // namespace

class Recorder {
 public:
  void begin(Mode mode) {
    serial_ = ++last_serial;
    outer_ = current;
    outer_mode_ = current_mode;
    active_ = true;
    walking_ = false;
    calls_ = 0;
    training_tape_ = mode == Mode::train ? next_training_tape() : 0;
    current = this;
    current_mode = mode;
  }

  /// Stops recording; an outer tape goes on.
  void stop() {
    if (!active_) return;
    active_ = false;
    if (current == this) {
      current = outer_;
      current_mode = outer_mode_;
      return;
    }
    for (Recorder* inner = current; inner != nullptr; inner = inner->outer_) {
      if (inner->outer_ != this) continue;
      inner->outer_ = outer_;
      inner->outer_mode_ = outer_mode_;
    }
  }

  void clear() {
    for (Node& node : nodes_) destroy(node);
    nodes_.clear();
    slots_.clear();
    watched_.clear();
    arena_.rewind({});
  }

  std::int32_t slot_of(const Tensor& x) {
    TapeMark& mark = x.mark();
    const bool frozen = mark.parameter != nullptr && mark.parameter->frozen;
    if (mark.tape == serial_ && !frozen) return mark.slot;
    for (const Watched& watched : watched_) {
      if (watched.tensor.same(x)) return watched.slot;
    }
    if (mark.parameter == nullptr || frozen) return -1;
    // Marks the parameter for this tape; should another tape mark it in between, it gets a second slot here, and both
    // add to the same gradient.
    mark.slot = add_slot(x, mark.parameter->self.lock());
    mark.tape = serial_;
    if (only_ != nullptr) slots_[index(mark.slot)].wanted = listed(*only_, mark.parameter);
    return mark.slot;
  }

  void watch(const Tensor& x) {
    if (!active_) fail<TapeError>("watch: this tape has already run backward");
    if (x.dtype() != Dtype::f32 && x.dtype() != Dtype::bf16) {
      fail<TapeError>("watch: tensor {} is {}, only f32 and bf16 have a gradient", x.shape(), x.dtype());
    }
    if (slot_of(x) < 0) watched_.push_back({x, add_slot(x, nullptr)});
  }

  void* begin_record(std::span<const Tensor> inputs, std::size_t bytes) {
    if (in_block_) {
      for (const Tensor& input : inputs) note_input(input);
      return nullptr;
    }
    const std::size_t count = inputs.size();
    const Arena::Mark before = arena_.mark();
    auto* input_slots = static_cast<std::int32_t*>(arena_.allocate(count * sizeof(std::int32_t)));
    bool wanted = false;
    for (std::size_t i = 0; i < count; ++i) {
      input_slots[i] = inputs[i].defined() ? slot_of(inputs[i]) : -1;
      wanted = wanted || wants(input_slots[i]);
    }
    if (!wanted) {
      arena_.rewind(before);
      return nullptr;
    }
    nodes_.push_back({nullptr, {}, input_slots, static_cast<std::int32_t>(count), -1});
    return arena_.allocate(bytes);
  }

  void end_record(const char* name, const Tensor& y, Closure closure) {
    Node& node = nodes_.back();
    node.name = name;
    node.closure = closure;
    node.output = add_slot(y, nullptr);
    y.mark().tape = serial_;
    y.mark().slot = node.output;
  }

  void backward(const Tensor& loss, const std::span<const Parameter>* only) {
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

  Tensor gradient(const Tensor& x) const {
    if (active_) fail<TapeError>("gradient: call backward first");
    for (const Watched& watched : watched_) {
      if (!watched.tensor.same(x)) continue;
      const Slot& slot = slots_[index(watched.slot)];
      return slot.gradient.defined() ? slot.gradient : zeros(slot.shape, slot.dtype);
    }
    fail<TapeError>("gradient: tensor {} was not watched by this tape", x.shape());
  }

  bool wants(std::int32_t slot) const { return slot >= 0 && slots_[index(slot)].wanted; }

  void give(std::int32_t slot_number, Tensor gradient) {
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

  Gradients::Target into(std::int32_t slot_number) {
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

  /// From here to end_block nothing is recorded, but what is used of this tape noted. False within another block.
  bool begin_block() {
    if (in_block_) return false;
    in_block_ = true;
    return true;
  }

  void leave_block() {
    in_block_ = false;
    block_inputs_.clear();
  }

  /// Whether a gradient will flow through `y`, what the block gave, into the block.
  bool block_wanted(const Tensor& y) {
    in_block_ = false;
    // One of its inputs is known to the tape already.
    return slot_of(y) < 0 &&
           std::ranges::any_of(block_inputs_, [this](const Tensor& input) { return wants(slot_of(input)); });
  }

  void* allocate(std::size_t bytes) { return arena_.allocate(bytes); }

  void record_block(const Tensor& y, const Again& again, std::uint64_t first_call, const RandomState& random) {
    const std::size_t count = block_inputs_.size();
    auto* slots = static_cast<std::int32_t*>(arena_.allocate(count * sizeof(std::int32_t)));
    auto* inputs = static_cast<Saved*>(arena_.allocate(count * sizeof(Saved)));
    for (std::size_t i = 0; i < count; ++i) {
      slots[i] = slot_of(block_inputs_[i]);
      new (inputs + i) Saved(block_inputs_[i]);
    }
    auto* block = new (arena_.allocate(sizeof(Block)))
        Block{again, {inputs, count}, current_mode, first_call, calls_, random, random.draws != random_state().draws};
    nodes_.push_back({nullptr, {}, slots, static_cast<std::int32_t>(count), -1});
    end_record("recompute", y, {block, nullptr, Block::destroy});
  }

  void link(Saved& saved) {
    saved.recorder_ = this;
    saved.previous_ = nullptr;
    saved.next_ = saved_;
    if (saved_ != nullptr) saved_->previous_ = &saved;
    saved_ = &saved;
  }

  void unlink(Saved& saved) {
    (saved.previous_ != nullptr ? saved.previous_->next_ : saved_) = saved.next_;
    if (saved.next_ != nullptr) saved.next_->previous_ = saved.previous_;
  }

  const char* node_name() const { return nodes_.back().name; }
  int node_inputs() const { return nodes_.back().input_count; }
  std::int64_t size() const { return static_cast<std::int64_t>(nodes_.size()); }
  std::uint64_t next_call() { return calls_++; }
  std::uint64_t calls() const { return calls_; }
  std::uint64_t training_tape() const { return training_tape_; }
  bool records(std::uint64_t serial) const { return active_ && serial_ == serial; }
  std::uint64_t serial() const { return serial_; }

  Recorder* next_free = nullptr;

 private:
  static std::size_t index(std::int32_t slot) { return static_cast<std::size_t>(slot); }

  std::int32_t add_slot(const Tensor& x, std::shared_ptr<ParameterState> parameter) {
    slots_.push_back({x.shape(), x.dtype(), std::move(parameter), Tensor(), true});
    return static_cast<std::int32_t>(slots_.size() - 1);
  }

  std::int32_t slot_of_recorded(const Tensor& loss) const {
    const TapeMark& mark = loss.mark();
    if (mark.tape != serial_) {
      fail<TapeError>(
          "backward: loss {} was not recorded on this tape: it depends on no parameter and no watched tensor used "
          "since the tape began",
          loss.shape());
    }
    return mark.slot;
  }

  void check_saved() const {
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

  /// Runs the backward functions of all nodes but the first `rest`, the last one first.
  void walk(std::size_t rest) {
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

  /// Computes a block again, now recording, and walks what it recorded. Its operations thus see the tape as they would
  /// have done the first time, and add to the same sums in the same order.
  void walk_block(const Node& node, Tensor dy) {
    const Block& block = *static_cast<const Block*>(node.closure.object);
    const std::size_t rest = nodes_.size();
    Tensor y = compute_again(block);
    if (calls_ != block.calls_end || !y.defined() || !(y.shape() == dy.shape()) || y.dtype() != dy.dtype()) {
      fail<TapeError>("recompute: the block gave {} with {} random masks, the first time {} {} with {}",
                      y.defined() ? fmt::format("{} {}", y.dtype(), y.shape()) : "an undefined tensor",
                      calls_ - block.first_call, dy.dtype(), dy.shape(), block.calls_end - block.first_call);
    }
    const std::int32_t slot = slot_of(y);
    y = Tensor();
    if (wants(slot)) give(slot, std::move(dy));
    walk(rest);
  }

  Tensor compute_again(const Block& block) {
    struct Scope {
      Recorder& recorder;
      const Block& block;
      Recorder* outer = std::exchange(current, &recorder);
      Mode outer_mode = std::exchange(current_mode, block.mode);
      bool outer_again = std::exchange(computing_again, true);
      RandomState now = random_state();

      ~Scope() {
        if (block.drew) set_random_state(now);
        computing_again = outer_again;
        current_mode = outer_mode;
        current = outer;
        recorder.active_ = false;
      }
    };
    const Scope scope{*this, block};
    active_ = true;
    calls_ = block.first_call;
    if (block.drew) set_random_state(block.random);
    return block.again.call(block.again.object);
  }

  void note_input(const Tensor& input) {
    if (!input.defined() || slot_of(input) < 0) return;
    if (std::ranges::any_of(block_inputs_, [&](const Tensor& known) { return known.same(input); })) return;
    block_inputs_.push_back(input);
  }

  static bool listed(std::span<const Parameter> parameters, const ParameterState* state) {
    return std::ranges::any_of(parameters, [&](const Parameter& parameter) { return parameter.id() == state; });
  }

  void restrict_to(std::span<const Parameter> parameters) {
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

  static Dtype gathered_in(const Slot& slot) { return slot.parameter ? Dtype::f32 : slot.dtype; }

  static Tensor& gathered(Slot& slot) { return slot.parameter ? slot.parameter->gradient : slot.gradient; }

  /// An operation may hand one tensor to several inputs (add does): whoever adds to it needs its own.
  static void make_unique(Tensor& tensor) {
    if (!tensor.unique() && !mutant(Mutant::shared_gradient_added_to)) tensor = tensor.clone();
  }

  static void destroy(Node& node) {
    if (node.closure.object != nullptr) node.closure.destroy(node.closure.object);
    node.closure.object = nullptr;
  }

  Arena arena_;
  std::vector<Node> nodes_;
  std::vector<Slot> slots_;
  std::vector<Watched> watched_;
  Saved* saved_ = nullptr;
  Recorder* outer_ = nullptr;
  Mode outer_mode_ = Mode::evaluate;
  std::uint64_t serial_ = 0;
  std::uint64_t training_tape_ = 0;
  std::uint64_t calls_ = 0;
  bool active_ = false;
  bool walking_ = false;
  const std::span<const Parameter>* only_ = nullptr;  // while walking: whose gradients are wanted, null for all
  bool in_block_ = false;
  std::vector<Tensor> block_inputs_;  // what the block that runs has used of this tape
};

namespace {

/// Recorders of dead tapes, with their memory, for the next ones on this thread.
class FreeRecorders {
 public:
  ~FreeRecorders() {
    while (head_ != nullptr) delete std::exchange(head_, head_->next_free);
  }
  Recorder* take() {
    if (head_ == nullptr) return new Recorder;
    return std::exchange(head_, head_->next_free);
  }
  void give(Recorder* recorder) {
    recorder->next_free = head_;
    head_ = recorder;
  }

 private:
  Recorder* head_ = nullptr;
};

FreeRecorders& free_recorders() {
  thread_local FreeRecorders recorders;
  return recorders;
}

}  // namespace

void* begin_record(std::span<const Tensor> inputs, std::size_t bytes) {
  return current != nullptr ? current->begin_record(inputs, bytes) : nullptr;
}

void end_record(const char* name, const Tensor& y, Closure closure) { current->end_record(name, y, closure); }

FirstRun::FirstRun()
    : recorder_(current != nullptr && current->begin_block() ? current : nullptr),
      call_(recorder_ != nullptr ? recorder_->calls() : 0),
      random_(random_state()) {}

FirstRun::~FirstRun() {
  if (recorder_ != nullptr) recorder_->leave_block();
}

void* FirstRun::space(const Tensor& y, std::size_t bytes) {
  if (!y.defined()) fail<ValueError>("recompute: the block gave an undefined tensor");
  return recorder_ != nullptr && recorder_->block_wanted(y) ? recorder_->allocate(bytes) : nullptr;
}

void FirstRun::record(const Tensor& y, const Again& again) { recorder_->record_block(y, again, call_, random_); }

bool recomputing() { return computing_again; }

RandomStream dropout_stream() {
  const std::uint64_t seed = random_state().seed;
  // Without a tape (statistics are re-estimated) every call is a draw of its own.
  if (current == nullptr) return next_draw();
  return {seed, RandomUse::dropout, current->training_tape(), current->next_call()};
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

Tape::Tape(Mode mode)
    : recorder_(detail::free_recorders().take(),
                [](detail::Recorder* recorder) { detail::free_recorders().give(recorder); }) {
  recorder_->begin(mode);
}

Tape::~Tape() {
  recorder_->stop();
  recorder_->clear();
}

void Tape::watch(const Tensor& x) { recorder_->watch(x); }
void Tape::backward(const Tensor& loss) { recorder_->backward(loss, nullptr); }
void Tape::backward(const Tensor& loss, std::span<const Parameter> parameters) {
  recorder_->backward(loss, &parameters);
}
Tensor Tape::gradient(const Tensor& x) const { return recorder_->gradient(x); }
std::int64_t Tape::size() const { return recorder_->size(); }

NoTape::NoTape(Mode mode)
    : recorder_(std::exchange(detail::current, nullptr)),
      serial_(recorder_ != nullptr ? recorder_->serial() : 0),
      mode_(std::exchange(detail::current_mode, mode)) {}

NoTape::~NoTape() {
  // The tape may have ended meanwhile, and its recorder serve another.
  detail::current = recorder_ != nullptr && recorder_->records(serial_) ? recorder_ : nullptr;
  detail::current_mode = mode_;
}

bool training() { return detail::current_mode == Mode::train; }
bool recording() { return detail::current != nullptr; }

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

Tensor stop_gradient(const Tensor& x) { return x.view(x.shape()); }

}  // namespace temper
