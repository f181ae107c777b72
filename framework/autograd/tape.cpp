#include <temper/autograd/tape.hpp>

#include <atomic>

#include <temper/core/pool.hpp>
#include <temper/core/random.hpp>

#include <temper/autograd/random.hpp>

#include "framework/autograd/recorder_internal.hpp"
#include "framework/core/format_internal.hpp"

namespace temper {

namespace detail {

constinit thread_local Recorder* current = nullptr;
constinit thread_local Mode current_mode = Mode::evaluate;

namespace {

std::atomic<std::uint64_t> last_serial{0};

}  // namespace

void Recorder::begin(Mode mode) {
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

void Recorder::stop() {
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

void Recorder::clear() {
  for (Node& node : nodes_) destroy(node);
  nodes_.clear();
  slots_.clear();
  watched_.clear();
  arena_.rewind({});
}

std::int32_t Recorder::slot_of(const Tensor& x) {
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

std::int32_t Recorder::add_slot(const Tensor& x, std::shared_ptr<ParameterState> parameter) {
  slots_.push_back({x.shape(), x.dtype(), std::move(parameter), Tensor(), true});
  return static_cast<std::int32_t>(slots_.size() - 1);
}

void Recorder::watch(const Tensor& x) {
  if (!active_) fail<TapeError>("watch: this tape has already run backward");
  if (x.dtype() != Dtype::f32 && x.dtype() != Dtype::bf16) {
    fail<TapeError>("watch: tensor {} is {}, only f32 and bf16 have a gradient", x.shape(), x.dtype());
  }
  if (slot_of(x) < 0) watched_.push_back({x, add_slot(x, nullptr)});
}

void* Recorder::begin_record(std::span<const Tensor> inputs, std::size_t bytes) {
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

void Recorder::end_record(const char* name, const Tensor& y, Closure closure) {
  Node& node = nodes_.back();
  node.name = name;
  node.closure = closure;
  node.output = add_slot(y, nullptr);
  y.mark().tape = serial_;
  y.mark().slot = node.output;
}

namespace {

class FreeRecorders;
FreeRecorders& free_recorders();

/// Recorders of dead tapes, with their memory, for the next ones on this thread.
class FreeRecorders {
 public:
  FreeRecorders() {
    trim_with_pool([] { free_recorders().clear(); });
  }
  ~FreeRecorders() { clear(); }
  Recorder* take() {
    if (head_ == nullptr) return new Recorder;
    return std::exchange(head_, head_->next_free);
  }
  void give(Recorder* recorder) {
    recorder->next_free = head_;
    head_ = recorder;
  }
  void clear() {
    while (head_ != nullptr) delete std::exchange(head_, head_->next_free);
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

Tensor stop_gradient(const Tensor& x) { return x.view(x.shape()); }

}  // namespace temper
