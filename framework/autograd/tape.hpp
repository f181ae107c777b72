#pragma once

#include <concepts>
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include <temper/autograd/parameter.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper {

/// Whether layers behave as in training (dropout drops, batch norm uses the batch) or as in use.
enum class Mode { train, evaluate };

namespace detail {
class Recorder;
}

/// What a backward function is told about the inputs of its operation, in the order given to record().
class Gradients {
 public:
  /// Whether the gradient of this input is needed at all.
  bool wants(int input) const;

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
/// Tapes nest: the innermost records. Without a live tape nothing is recorded.
class Tape {
 public:
  explicit Tape(Mode mode = Mode::train);
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// Asks for the gradient of a tensor that is not a parameter. Call before using it.
  void watch(const Tensor& x);

  /// Adds the gradients of `loss`, a scalar recorded on this tape, to the parameters it depends on. The tape is inert
  /// from then on. Throws: TapeError when called twice, on a non-scalar, on something this tape did not record, or
  /// when a tensor the gradient needs was changed in place; no gradient has changed then.
  void backward(const Tensor& loss);
  /// The same for these parameters alone; all others keep their gradients as they are.
  void backward(const Tensor& loss, std::span<const Parameter> parameters);

  /// After backward: the gradient of a watched tensor, zeros when the loss does not depend on it.
  Tensor gradient(const Tensor& x) const;

  /// Operations recorded so far.
  std::int64_t size() const;

 private:
  friend class detail::Recorder;
  std::unique_ptr<detail::Recorder, void (*)(detail::Recorder*)> recorder_;
};

/// While one lives, this thread records nothing and behaves as `mode` says: evaluation in the midst of a tape, or,
/// with Mode::train, training behaviour without gradients (re-estimating batch statistics).
class NoTape {
 public:
  explicit NoTape(Mode mode = Mode::evaluate);
  ~NoTape();
  NoTape(const NoTape&) = delete;
  NoTape& operator=(const NoTape&) = delete;

 private:
  detail::Recorder* recorder_;
  std::uint64_t serial_;
  Mode mode_;
};

/// Whether layers on this thread should behave as in training now.
bool training();
/// Whether operations on this thread are being recorded now.
bool recording();

/// A tensor that a backward function will need as it is now. Capture save(x), not x: should x be changed in place
/// meanwhile, backward throws rather than give a wrong gradient.
class Saved {
 public:
  Saved() = default;
  explicit Saved(const Tensor& tensor);
  Saved(const Saved& other);
  Saved& operator=(const Saved&) = delete;
  ~Saved();

  operator const Tensor&() const { return tensor_; }
  const Tensor& operator*() const { return tensor_; }
  const Tensor* operator->() const { return &tensor_; }

 private:
  friend class detail::Recorder;
  Tensor tensor_;
  std::uint32_t version_ = 0;
  detail::Recorder* recorder_ = nullptr;  // the tape whose list this is linked into
  Saved* previous_ = nullptr;
  Saved* next_ = nullptr;
};

inline Saved save(const Tensor& tensor) { return Saved(tensor); }

namespace detail {

/// Type-erased backward function in the tape's arena.
struct Closure {
  void* object;
  void (*call)(void* object, const Tensor& dy, Gradients& gradients);
  void (*destroy)(void* object);
};

/// Space for a closure on the recording tape; null when nothing is recorded or no input is on the tape.
void* begin_record(std::span<const Tensor> inputs, std::size_t bytes);
/// Completes what begin_record began.
void end_record(const char* name, const Tensor& y, Closure closure);

}  // namespace detail

/// Tells the tape that `y` was computed from `inputs`, and how gradients flow back:
///
///     return record("mul", y, {a, b}, [a = save(a), b = save(b)](const Tensor& dy, Gradients& gradients) {
///       if (gradients.wants(0)) gradients.give(0, mul(dy, b));
///       if (gradients.wants(1)) gradients.give(1, mul(dy, a));
///     });
///
/// `name` must be a string literal. `y` is a new tensor; it is returned. Nothing happens when no tape records or no
/// input is on it. The backward function runs at most once, unrecorded, and is destroyed at once.
template <std::invocable<const Tensor&, Gradients&> Backward>
Tensor record(const char* name, Tensor y, std::span<const Tensor> inputs, Backward backward) {
  static_assert(alignof(Backward) <= 16);
  if (void* space = detail::begin_record(inputs, sizeof(Backward))) {
    detail::end_record(
        name, y,
        {new (space) Backward(std::move(backward)),
         [](void* object, const Tensor& dy, Gradients& gradients) { (*static_cast<Backward*>(object))(dy, gradients); },
         [](void* object) { static_cast<Backward*>(object)->~Backward(); }});
  }
  return y;
}
template <std::invocable<const Tensor&, Gradients&> Backward>
Tensor record(const char* name, Tensor y, std::initializer_list<Tensor> inputs, Backward backward) {
  return record(name, std::move(y), std::span<const Tensor>(inputs.begin(), inputs.size()), std::move(backward));
}

/// `x` as a constant: no gradient flows through the result.
Tensor stop_gradient(const Tensor& x);

}  // namespace temper
