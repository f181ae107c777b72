#pragma once

#include <array>
#include <concepts>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <temper/autograd/parameter.hpp>
#include <temper/optim/adaptive_clip.hpp>
#include <temper/optim/average.hpp>
#include <temper/optim/group.hpp>
#include <temper/optim/lookahead.hpp>
#include <temper/optim/modes.hpp>
#include <temper/optim/schedule.hpp>
#include <temper/optim/state.hpp>

namespace temper::optim {

/// What step() does when a gradient contains an infinity or NaN. All but `unchecked` read the gradients once before
/// anything is written.
enum class NonFinite {
  raise,     ///< throw a ValueError that names the parameter; nothing has changed
  skip,      ///< drop the gradients; k does not advance
  zero,      ///< replace such elements by 0
  unchecked  ///< do not check (clipping by norm still does)
};

/// No clipping. Limits of clipping: the factor is an f32, of which values below 1.2e-38 count as 0, so that a norm
/// above 8e37 times clip_norm makes a step of 0. Without clipping, gradients above 1.8e19 have infinite squares, and
/// second moments that became infinite stay so.
inline constexpr double no_clipping = std::numeric_limits<double>::infinity();

struct StepOptions {
  double divide_by = 1.0;  ///< divisor of the gradients: the number of terms that were summed
  bool measure = false;    ///< whether to compute update_ratio, which reads the parameters once more
  /// Whether a step without any gradient is an error, as it mostly means a forgotten backward(), or a loss that does
  /// not depend on the parameters. No error when all parameters are frozen.
  bool require_gradient = true;
};

/// The result of a step.
struct StepReport {
  bool applied = false;     ///< false when there was no gradient, or a non-finite one was skipped
  Step k = 0;               ///< number of updates before this one, at which the schedules were evaluated
  double grad_norm = -1.0;  ///< of all gradients together, after divide_by, before clipping; -1 when not computed
  double clip = 1.0;        ///< the factor by which clip_norm scaled the gradients, the smallest of all groups
  /// Norm of the change over norm of the parameters, of sparse ones over that of the rows with a gradient; -1 when not
  /// measured.
  double update_ratio = -1.0;
  std::string_view bad{};  ///< the first parameter with a non-finite gradient; valid while the optimizer exists
};

/// A numeric option of an optimizer, as a schedule.
struct Hyper {
  enum class Range { any, not_negative, fraction, no_nan };  // fraction: 0 <= x < 1; no_nan: infinity is one

  std::string name;
  Schedule value;
  Range range = Range::not_negative;
};

/// A tensor of state for every parameter, zero before the first update.
struct StateSpec {
  enum class Kind {
    f32,             ///< of the parameter's shape
    bf16,            ///< of the parameter's shape
    codes8,          ///< a byte per element, in blocks of 256
    units,           ///< an f32 per block of 256 elements
    rows,            ///< f32 [rows] of the parameter as a matrix [rows, columns]: its first axis, and all others; an
                     ///< update() of one row of a sparse parameter gets that row's number
    columns,         ///< f32 [columns]
    rows_squared,    ///< f32 [rows, rows]
    columns_squared  ///< f32 [columns, columns]
  };

  StateSpec(const char* its_name, Kind its_kind = Kind::f32, Predicate its_owners = {}, bool is_optional = false)
      : name(its_name), kind(its_kind), owners(std::move(its_owners)), optional(is_optional) {}

  std::string name;
  Kind kind;
  Predicate owners;  ///< the parameters that have it; empty for all
  bool optional;     ///< depends on a setting: may be missing from a state saved with other settings, and is 0 then
};

struct Now;
struct Piece;

/// The definition of an optimizer.
struct Definition {
  std::string name;                  ///< for errors and checkpoints: "AdamW"
  std::vector<Hyper> hypers;         ///< at most `max_hypers`; the first must be "lr"
  std::vector<StateSpec> states{};   ///< tensors kept per parameter, at most `max_states`
  Schedule clip_norm = no_clipping;  ///< bound of the gradients' norm; groups that set their own are clipped separately
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;  ///< maximize the loss
  int phases = 1;         ///< how often update() is called for each piece; see Piece::sums
  Predicate whole{};      ///< the parameters that transform() is called for; empty for none
  Rounding rounding = Rounding::once;
  Decay decay = Decay::coupled;
  std::string variant{};          ///< text about other settings that change the meaning of a saved state
  std::vector<double> globals{};  ///< initial values of numbers of the optimizer as a whole; see between_phases()
  bool keeps_sums = false;        ///< whether Now::sums are kept for each parameter
  /// How sparse parameters are updated: update() is then called for one row at a time. Without, they are refused.
  std::optional<Rows> rows{};
  /// Needed for Rows::exact: does to a row what update() does with a gradient of 0 (which `row.g` is), once for each of
  /// the updates it missed, so that it does not matter in how many parts it is called for them.
  std::function<void(const Piece& row, std::span<const Now> missed)> catch_up{};
  bool evaluates_elsewhere = false;  ///< whether evaluation_weights() computes the weights to evaluate and save

  // For lint().
  /// The name of the decay of the second moment, "beta2", if steps are divided by its root from the first update on, so
  /// that it has to settle. Else empty.
  std::string second_moment{};
  /// Whether weight decay is part of a step that is rescaled as a whole, so that its effect depends on the gradients.
  bool decay_rescaled = false;
};

inline constexpr std::size_t max_hypers = 12;
inline constexpr std::size_t max_states = 6;
inline constexpr std::size_t max_products = 2;
inline constexpr std::size_t max_sums = 2;

/// The numbers of one step for one parameter.
struct Now {
  Step k = 0;                                   ///< the optimizer's updates before this one
  Step t = 0;                                   ///< the parameter's updates, this one included: 1, 2, ...
  std::array<double, max_hypers> hyper{};       ///< values at k, in the order of the Definition
  std::array<double, max_products> products{};  ///< running products, initially 1; see Optimizer::prepare
  std::array<double, max_sums> sums{};          ///< running sums, initially 0; with Definition::keeps_sums
  std::span<const double> globals{};            ///< those of the Definition, before this step
  double scale = 1.0;                           ///< factor of the gradients: clipping, divide_by, maximize

  /// Stores what prepare() computes once for all pieces: any trivially copyable type of at most 64 bytes.
  template <class T>
  void put(const T& numbers) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(bytes_));
    std::memcpy(bytes_.data(), &numbers, sizeof(T));
  }
  template <class T>
  T get() const {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(bytes_));
    T numbers;
    std::memcpy(&numbers, bytes_.data(), sizeof(T));
    return numbers;
  }

 private:
  std::array<std::byte, 64> bytes_{};
};

/// Consecutive elements of one parameter, with their gradient and state.
struct Piece {
  float* p;                              ///< elements of the parameter
  const float* g;                        ///< elements of its gradient, to be multiplied by now.scale
  std::array<void*, max_states> memory;  ///< the states, in the order of the Definition; null for those it lacks
  std::int64_t n;                        ///< number of elements
  std::int64_t begin;                    ///< index of the first one in the parameter, a multiple of 256
  std::int64_t size;                     ///< number of elements of the whole parameter
  std::size_t parameter;                 ///< index of the parameter in the optimizer
  const Now& now;
  int phase;                        ///< from 0 to the Definition's phases - 1; only the last may write p
  std::array<double, 2>& sums;      ///< set in all phases but the last: two numbers to be summed over the parameter
  std::array<double, 2> totals;     ///< the sums of the previous phase, over the whole parameter
  std::span<const double> globals;  ///< those of the Definition, as between_phases() left them
  std::int64_t row = -1;            ///< of a sparse parameter, which row this is; else -1

  /// A state of kind f32.
  float* state(std::size_t i) const { return static_cast<float*>(memory[i]); }
};

/// A whole parameter, for methods that cannot work on pieces.
struct Whole {
  const float* p;
  float* g;  ///< its gradient, to be multiplied by now.scale; transform() replaces it by the input of update()
  std::array<float*, max_states> memory;  ///< the states, as in Piece
  const Shape& shape;
  std::size_t parameter;  ///< index of the parameter in the optimizer
  const Now& now;
};

/// Base of all optimizers: holds the parameters and evaluates the schedules. One parallel region reads all gradients
/// (unless nothing is clipped and NonFinite is unchecked), then updates all parameters, with one pass over memory for
/// each phase. Optimizers with a transform() take two regions.
///
/// An optimizer of your own is one class: name its numbers and states in the Definition, and override update().
class Optimizer {
 public:
  virtual ~Optimizer();
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// Applies the gradients of the parameters, and clears them. A parameter without a gradient is not changed. One that
  /// was given another value (Parameter::set_value) is updated from that value, with the moments it had.
  /// Throws: ValueError for a schedule's value out of range, for a non-finite gradient with NonFinite::raise, when
  /// there is no gradient at all (StepOptions::require_gradient), and naming a parameter whose dtype differs from that
  /// when the optimizer was made, or that has become sparse since; nothing has changed then.
  StepReport step(const StepOptions& options = {});

  /// Drops the gradients of the parameters.
  void discard_gradients();

  /// Updates applied so far: the clock of the schedules.
  Step k() const;

  /// The value of the option `name` ("lr", "weight_decay", "clip_norm") for a group at step k.
  /// Throws: ValueError when there is no such option or group.
  [[nodiscard]] double value(std::string_view name, Step k, std::size_t group = 0) const;
  /// The current learning rate of a group.
  [[nodiscard]] double lr(std::size_t group = 0) const { return value("lr", k(), group); }
  /// Deleted, as the rate is a schedule that is given to the constructor. scale_lr() changes it in the middle of a run.
  double lr(std::floating_point auto rate) const = delete;

  const std::string& name() const;
  const Groups& groups() const;
  const Definition& definition() const;
  /// The schedule of an option of a group, without the factors of the journal. Throws: as value().
  const Schedule& schedule(std::string_view name, std::size_t group = 0) const;

  /// Multiplies the learning rate of all groups by `factor` from the next step on, by an entry in the journal.
  /// Throws: ValueError unless the factor is positive and finite.
  void scale_lr(double factor, const std::string& reason = "");
  /// The entries made so far, in order.
  const std::vector<JournalEntry>& journal() const;

  /// A text that other code keeps and saves with the optimizer; empty when there is none.
  std::string note(const std::string& name) const;
  void set_note(const std::string& name, std::string text);

  /// Averages the weights from now on, as part of every step. Throws: ValueError when they are averaged already.
  void average(const AverageOptions& options = {});
  /// The average of a parameter of this optimizer. Throws: ValueError when there is none, or no sample of it yet.
  Tensor averaged(const Parameter& parameter) const;
  /// Swaps the weights with their averages, or with the weights that the optimizer has for evaluation (ScheduleFree). A
  /// second call restores them bit by bit; step() throws in between.
  void swap_averages();
  /// Whether there are averages to swap in.
  bool has_averages() const;

  /// Turns on Lookahead: every few updates the weights move back towards those before. Moments are not changed.
  /// Throws: ValueError when it is on already, or the options are out of range.
  void look_ahead(const LookaheadOptions& options = {});
  /// Turns on adaptive clipping: gradients of weights are clipped row by row, relative to the norm of the row.
  /// Throws: ValueError when it is on already, or the options are out of range.
  void clip_adaptively(const AdaptiveClipOptions& options = {});

  /// Keeps a bf16 copy of every parameter, updated by every step. (A parameter that is bf16 itself is such a copy: the
  /// optimizer updates its f32 master, "name/master" in the state.)
  void keep_bf16();
  /// The copy of a parameter. Throws: ValueError when there is none.
  Tensor bf16(const Parameter& parameter) const;

  /// Everything needed to resume exactly. Throws: ValueError when two parameters share a name, or one has none.
  OptimizerState state() const;
  /// Restores a state, all or nothing. Throws: ValueError that lists everything that is missing, extra or does not fit,
  /// how schedules differ and which parameters are in another group; also while averages are swapped in.
  void load(const OptimizerState& state, const LoadOptions& options = {});
  /// Continues the training of another program, which made `k` updates, with its moments. The state of this optimizer,
  /// averages included, is discarded. Parameters are found by name; others start without moments. All or nothing.
  /// Throws: ValueError that lists everything that is unknown or does not fit.
  void start_from(Step k, const std::map<std::string, ParameterStart>& parameters);

 protected:
  // Optimizers can be moved, for containers. One that was moved from can only be destroyed or assigned to. Objects that
  // refer to an optimizer (Plateau, AveragedWeights) must not be used after it was moved.
  Optimizer(Optimizer&& other) noexcept;
  Optimizer& operator=(Optimizer&& other) noexcept;

  /// Throws: ValueError when there is no parameter, or naming one that is given twice or undefined, or a setting that
  /// does not exist or is out of its range at step 0.
  Optimizer(Groups groups, Definition definition);

  /// Computes the numbers that update() needs, once per step for all parameters with the same numbers. May multiply
  /// `now.products` and add to `now.sums`, which are kept for each parameter.
  virtual void prepare(Now& now) const;

  /// Replaces the gradient of a parameter by the input of update(). Called on the thread that called step(), for the
  /// parameters of Definition::whole, one after another, so that it may use kernels that run on all threads.
  virtual void transform(const Whole& whole) const;

  /// Updates some elements. Called for many pieces, from several threads at once.
  virtual void update(const Piece& piece) const = 0;

  /// Called after each phase but the last, on one thread, with the sums of the phase over all parameters. May change
  /// the numbers of Definition::globals; the changes are kept when the step succeeds. `now` is that of the first
  /// parameter.
  virtual void between_phases(int phase, Now now, const std::array<double, 2>& totals, std::span<double> globals) const;
  std::span<const double> globals() const;

  /// Writes the weights for evaluation that swap_averages() swaps in, with Definition::evaluates_elsewhere.
  virtual void evaluation_weights(const Piece& piece, float* weights) const;

 private:
  class Engine;
  Engine& engine() const;
  std::unique_ptr<Engine> engine_;
};

}  // namespace temper::optim
