#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include <temper/autograd/operation.hpp>
#include <temper/autograd/parameter.hpp>
#include <temper/core/trace.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper {

/// Whether layers behave as in training (dropout drops, batch norm uses the batch) or as in use.
enum class Mode { train, evaluate };

namespace detail {

class Recorder;
struct ThreadScopes;

/// What was begun on a thread and has not ended; see scope_internal.hpp.
struct Scope {
  enum class Kind : std::uint8_t {
    tape,
    pause,       // a NoTape
    first_run,   // of a block that will be computed again: noted, not recorded
    second_run,  // of such a block, by backward
  };

  Recorder* recorder;  // null when nothing is recorded
  Mode mode;
  Kind kind;
  Scope* outer = nullptr;
  std::atomic<ThreadScopes*> thread = nullptr;  // in whose chain it is
  std::atomic<bool> abandoned = false;          // a tape that another thread has destroyed
};

}  // namespace detail

/// What a backward function is told about the inputs of its operation, in the order given to record().
class Gradients {
 public:
  /// Whether the gradient of this input is needed at all.
  bool wants(int input) const;

  /// The shape of an input whose gradient is wanted.
  Shape shape(int input) const;

  /// Hands over the gradient of an input, of the input's shape and dtype or in f32.
  void give(int input, Tensor gradient);

  /// Where a gradient is to be computed: `tensor` has the input's shape; write with += when `accumulate`, else with =.
  /// Its dtype is the input's, or f32 for a parameter.
  struct Target {
    Tensor tensor;
    bool accumulate;
  };
  /// The buffer the gradient of an input is gathered in, for kernels that can add to it without a temporary.
  Target into(int input);

  /// Whether an input is a sparse parameter, which takes give_rows() alone.
  bool sparse(int input) const;
  /// Hands over the gradient of a sparse parameter.
  void give_rows(int input, RowGradient gradient);

 private:
  friend class detail::Recorder;
  Gradients(detail::Recorder& recorder, const std::int32_t* slots, int count)
      : recorder_(recorder), slots_(slots), count_(count) {}
  std::int32_t slot_of(int input) const;

  detail::Recorder& recorder_;
  const std::int32_t* slots_;
  int count_;
};

/// Records the operations of this thread from its birth to its backward, then walks them in reverse:
///
///     Tape tape;
///     const Tensor loss = cross_entropy(model(images), labels);
///     tape.backward(loss);          // every parameter used now holds its gradient
///
/// Tapes nest: the innermost records. Without a live tape nothing is recorded. A tape belongs to the thread it was made
/// on; threads may share parameters, each with a tape of its own, and their gradients add up.
class Tape {
 public:
  explicit Tape(Mode mode = Mode::train);
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// Asks for the gradient of this tensor: an input, to be watched before it is used, something computed on the tape,
  /// or a parameter, whose gradient by this tape alone gradient() then gives. Throws: TapeError after backward, within
  /// recompute, for what is neither f32 nor bf16, and for an input that was used already.
  void watch(const Tensor& x);

  /// Adds the gradients of `loss`, a scalar recorded on this tape, to the parameters it depends on. The tape is inert
  /// from then on. Throws: TapeError when called twice, on a non-scalar, on something this tape did not record, on
  /// another thread, or when a tensor the gradient needs was changed in place. No gradient has changed then and the tape
  /// records on; when a backward function throws no gradient has changed either, and the tape is inert.
  void backward(const Tensor& loss);
  /// The same for these parameters alone; all others keep their gradients as they are.
  void backward(const Tensor& loss, std::span<const Parameter> parameters);

  /// After backward: the gradient of a watched tensor, zeros when the loss does not depend on it. Of the tensor's
  /// dtype, for a parameter f32; of a sparse one, too, it has the parameter's whole shape.
  Tensor gradient(const Tensor& x) const;

  /// While the tape records: the gradient of `y`, a scalar recorded on it, by `x`, a parameter, a watched tensor or
  /// something computed on the tape. It is recorded as any other result, so a loss may contain it, and it may be
  /// differentiated again; no parameter gets a gradient before backward:
  ///
  ///     tape.watch(x);
  ///     const Tensor dx = tape.gradient(sum(critic(x)), x);
  ///     tape.backward(loss + 10 * mean(square(norm(dx, 2, {1}) - 1)));  // a gradient penalty
  ///
  /// Zeros when y does not depend on x. Throws: TapeError as backward does, when another tape or a NoTape was begun
  /// since, and for an operation between x and y that has no second derivative, with its name.
  Tensor gradient(const Tensor& y, const Tensor& x);
  /// The gradients by several tensors, for the price of one.
  std::vector<Tensor> gradients(const Tensor& y, const std::vector<Tensor>& x);
  std::vector<Tensor> gradients(const Tensor& y, const std::vector<Parameter>& parameters);

  /// Operations recorded so far.
  std::int64_t size() const;

 private:
  friend class detail::Recorder;
  std::unique_ptr<detail::Recorder, void (*)(detail::Recorder*)> recorder_;
};

/// While one lives, this thread records nothing and behaves as `mode` says: evaluation in the midst of a tape, or,
/// with Mode::train, training behaviour without gradients (re-estimating batch statistics). It ends on its own thread.
class NoTape {
 public:
  explicit NoTape(Mode mode = Mode::evaluate);
  ~NoTape();
  NoTape(const NoTape&) = delete;
  NoTape& operator=(const NoTape&) = delete;

 private:
  detail::Scope scope_;
};

/// Whether layers on this thread should behave as in training now.
bool training();
/// Whether operations on this thread are being recorded now.
bool recording();
/// Whether an operation on these inputs would be: what only its backward function needs is not worth computing else.
bool recording(std::initializer_list<Tensor> inputs);

/// A tensor that a backward function will need as it is now. Capture save(x), not x: should x be changed in place
/// meanwhile, backward throws rather than give a wrong gradient.
class Saved {
 public:
  Saved() = default;
  explicit Saved(const Tensor& tensor, std::uint32_t needed_by = ~0u);
  Saved(const Saved& other);
  Saved(Saved&& other) noexcept;
  Saved& operator=(const Saved&) = delete;
  ~Saved();

  operator const Tensor&() const { return tensor_; }
  const Tensor& operator*() const { return tensor_; }
  const Tensor* operator->() const { return &tensor_; }

 private:
  friend class detail::Recorder;
  Tensor tensor_;
  std::uint32_t version_ = 0;
  std::uint32_t needed_by_ = ~0u;         // a bit for each input whose gradient needs it
  std::int32_t node_ = -1;                // the operation that holds it, -1 for who knows what
  detail::Recorder* recorder_ = nullptr;  // the tape whose list this is linked into
  Saved* previous_ = nullptr;
  Saved* next_ = nullptr;
};

inline Saved save(const Tensor& tensor) { return Saved(tensor); }
/// A tensor that the gradients of some inputs alone need, by their numbers in record(): save(b, {0}). When none of them
/// is wanted it is not kept, so the backward function must not touch it then.
Saved save(const Tensor& tensor, std::initializer_list<int> inputs);

namespace detail {

/// Type-erased backward function in the tape's arena.
struct Closure {
  void* object;
  void (*call)(void* object, const Tensor& dy, Gradients& gradients);
  void (*destroy)(void* object);
  bool differentiable;  // see temper::Differentiable
};

/// Space for a closure on the recording tape; null when nothing is recorded or no input is on the tape. What went
/// before stays as it is until end_record, should the closure's making throw.
void* begin_record(const char* name, std::span<const Tensor> inputs, std::size_t bytes);
/// Completes what begin_record began.
void end_record(const Tensor& y, Closure closure);
/// Enters an operation that has just been computed into the trace.
void trace_recorded(const char* name, const Tensor& y, std::span<const Tensor> inputs);

}  // namespace detail

/// A backward function that Tape::gradient(y, x) may record: all it computes, it computes by recorded operations.
template <class Backward>
struct Differentiable : Backward {};

/// Marks a backward function that computes by recorded operations, or does so whenever recording() says that a tape
/// records it: the operation then has a second derivative. It may run more than once, gives what it computes (into() is
/// for kernels), and must not write to dy.
template <class Backward>
Differentiable<std::decay_t<Backward>> differentiable(Backward&& backward) {
  return {std::forward<Backward>(backward)};
}

namespace detail {

template <class Backward>
inline constexpr bool is_differentiable = false;
template <class Backward>
inline constexpr bool is_differentiable<Differentiable<Backward>> = true;

}  // namespace detail

/// Tells the tape that `y` was computed from `inputs`, and how gradients flow back:
///
///     return record("mul", y, {a, b}, [a = save(a, {1}), b = save(b, {0})](const Tensor& dy, Gradients& gradients) {
///       if (gradients.wants(0)) gradients.give(0, mul(dy, b));
///       if (gradients.wants(1)) gradients.give(1, mul(dy, a));
///     });
///
/// The operation is a name, which must be a string literal, or a name with attributes; see Operation. `y` is a new
/// tensor; it is returned. Nothing happens when no tape records or no input is on it. The backward function runs at
/// most once, unrecorded, when a gradient reaches y and leads on to some input, and is destroyed at once; one marked
/// differentiable() may run for Tape::gradient(y, x) before, recorded. Throws: TapeError for an input that was changed
/// in place since it was recorded.
template <std::invocable<const Tensor&, Gradients&> Backward>
Tensor record(const Operation& operation, Tensor y, std::span<const Tensor> inputs, Backward&& backward) {
  using Function = std::decay_t<Backward>;
  static_assert(alignof(Function) <= 16);
  if (detail::tracing()) detail::trace_recorded(operation.name, y, inputs);
  if (detail::listening()) detail::tell(operation, y, inputs);
  if (void* space = detail::begin_record(operation.name, inputs, sizeof(Function))) {
    detail::end_record(
        y,
        {new (space) Function(std::forward<Backward>(backward)),
         [](void* object, const Tensor& dy, Gradients& gradients) { (*static_cast<Function*>(object))(dy, gradients); },
         [](void* object) { static_cast<Function*>(object)->~Function(); }, detail::is_differentiable<Function>});
  }
  return y;
}
template <std::invocable<const Tensor&, Gradients&> Backward>
Tensor record(const Operation& operation, Tensor y, std::initializer_list<Tensor> inputs, Backward&& backward) {
  return record(operation, std::move(y), std::span<const Tensor>(inputs.begin(), inputs.size()),
                std::forward<Backward>(backward));
}
/// The same for an operation through which no gradient flows: y is a constant to the tape, and not to an export.
inline Tensor record(const Operation& operation, Tensor y, std::initializer_list<Tensor> inputs) {
  if (detail::listening()) detail::tell(operation, y, {inputs.begin(), inputs.size()});
  return y;
}

/// `x` as a constant, in the same memory: no gradient flows through the result.
Tensor stop_gradient(const Tensor& x);

}  // namespace temper
