#include <temper/autograd/tape.hpp>

#include <algorithm>
#include <atomic>
#include <cstring>

#include <temper/core/pool.hpp>
#include <temper/core/random.hpp>

#include <temper/autograd/random.hpp>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/core/mutants_internal.hpp"
#include "framework/kernels/elementwise.hpp"

namespace temper {

namespace detail {

namespace {

/// Memory that is freed all at once, kept for the next tape.
class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() {
    for (const Chunk& chunk : chunks_) pool_release(chunk.memory, chunk.bytes);
  }

  void* allocate(std::size_t bytes) {
    bytes = (bytes + 15) / 16 * 16;
    while (current_ < chunks_.size() && used_ + bytes > chunks_[current_].bytes) {
      ++current_;
      used_ = 0;
    }
    if (current_ == chunks_.size()) {
      const std::size_t size = std::max(bytes, chunk_bytes);
      chunks_.push_back({static_cast<std::byte*>(pool_allocate(size)), size});
    }
    void* memory = chunks_[current_].memory + used_;
    used_ += bytes;
    return memory;
  }

  struct Mark {
    std::size_t current = 0;
    std::size_t used = 0;
  };
  Mark mark() const { return {current_, used_}; }
  void rewind(Mark mark) {
    current_ = mark.current;
    used_ = mark.used;
  }

 private:
  static constexpr std::size_t chunk_bytes = std::size_t{64} << 10;
  struct Chunk {
    std::byte* memory;
    std::size_t bytes;
  };
  std::vector<Chunk> chunks_;
  std::size_t current_ = 0;
  std::size_t used_ = 0;
};

/// A value on the tape: the output of an operation, a parameter or a watched tensor.
struct Slot {
  Shape shape;
  Dtype dtype;  // of the value; a parameter's gradient is f32 whatever it is
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

thread_local Recorder* current = nullptr;
thread_local Mode current_mode = Mode::evaluate;
std::atomic<std::uint64_t> last_serial{0};

}  // namespace

class Recorder {
 public:
  void begin(Mode mode) {
    serial_ = ++last_serial;
    outer_ = current;
    outer_mode_ = current_mode;
    active_ = true;
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
    const std::size_t count = inputs.size();
    const Arena::Mark before = arena_.mark();
    auto* input_slots = static_cast<std::int32_t*>(arena_.allocate(count * sizeof(std::int32_t)));
    bool wanted = false;
    for (std::size_t i = 0; i < count; ++i) {
      input_slots[i] = inputs[i].defined() ? slot_of(inputs[i]) : -1;
      wanted = wanted || input_slots[i] >= 0;
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
    if (!active_) fail<TapeError>("backward: this tape has already run backward");
    if (loss.numel() != 1) fail<TapeError>("backward: loss has shape {}, expected one element", loss.shape());
    const std::int32_t root = slot_of_recorded(loss);
    check_saved();
    if (only != nullptr) restrict_to(*only);

    stop();
    const NoTape unrecorded;
    try {
      slots_[index(root)].gradient = converted(ones(loss.shape()), loss.dtype());
      while (!nodes_.empty()) {
        Node& node = nodes_.back();
        Slot& output = slots_[index(node.output)];
        if (output.gradient.defined()) {
          // Moved out: nothing but the closure needs it from here on.
          const Tensor dy = std::move(output.gradient);
          output.gradient = Tensor();
          Gradients gradients(*this, node.inputs, node.input_count);
          node.closure.call(node.closure.object, dy, gradients);
        }
        destroy(node);
        nodes_.pop_back();
      }
    } catch (...) {
      // Half a gradient is worse than none.
      for (Slot& slot : slots_) {
        if (slot.parameter && slot.wanted) slot.parameter->gradient = Tensor();
      }
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

  void restrict_to(std::span<const Parameter> parameters) {
    for (Slot& slot : slots_) slot.wanted = false;
    for (const Watched& watched : watched_) slots_[index(watched.slot)].wanted = true;
    for (Slot& slot : slots_) {
      slot.wanted = slot.wanted || (slot.parameter && std::ranges::any_of(parameters, [&](const Parameter& parameter) {
                                      return parameter.id() == slot.parameter.get();
                                    }));
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
