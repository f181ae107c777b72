#pragma once

#include <array>
#include <concepts>
#include <cstring>
#include <map>
#include <memory>
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

/// What step() does when a gradient holds an infinity or NaN. All but `unchecked` read the gradients once before
/// anything is written.
enum class NonFinite {
  raise,     ///< throw a ValueError that names the parameter; nothing has changed
  skip,      ///< drop the gradients; k does not advance
  zero,      ///< take such elements for 0
  unchecked  ///< do not look (clipping by norm still does)
};

/// No clipping. What clipping cannot save: the factor is an f32, and one below 1.2e-38 counts as 0, so a norm beyond
/// 8e37 times clip_norm makes a step of 0. Unclipped gradients beyond 1.8e19 have infinite squares, and the second
/// moments that hold them never come back.
inline constexpr double no_clipping = std::numeric_limits<double>::infinity();

struct StepOptions {
  double divide_by = 1.0;  ///< what to divide the gradients by: how many were summed
  bool measure = false;    ///< whether to report update_ratio, at the price of reading the parameters again
  /// Whether a step for which no gradient waits is an error: mostly a backward() that was forgotten, or a loss that no
  /// parameter takes part in. Frozen parameters may all be without one.
  bool require_gradient = true;
};

/// What one step did.
struct StepReport {
  bool applied = false;        ///< false when there was no gradient, or a non-finite one was skipped
  Step k = 0;                  ///< updates before this one: where the schedules were read
  double grad_norm = -1.0;     ///< of all gradients together, after divide_by, before clipping; -1 when not computed
  double clip = 1.0;           ///< what the gradients were multiplied with to keep clip_norm, the least of the groups'
  double update_ratio = -1.0;  ///< norm of the change over norm of the parameters; -1 when not measured
  std::string_view bad{};      ///< the first parameter with a non-finite gradient; valid while the optimizer lives
};

/// A number of an optimizer, as a schedule, under the name of its option.
struct Hyper {
  enum class Range { any, not_negative, fraction, no_nan };  // fraction: 0 <= x < 1; no_nan: infinity is one

  std::string name;
  Schedule value;
  Range range = Range::not_negative;
};

/// A tensor kept for every parameter, zero before the first update.
struct StateSpec {
  enum class Kind {
    f32,             ///< of the parameter's shape
    bf16,            ///< of the parameter's shape
    codes8,          ///< a byte per element, in blocks of 256
    units,           ///< an f32 per block of 256 elements
    rows,            ///< an f32 for each step of the first axis
    columns,         ///< an f32 for each element that such a step has
    rows_squared,    ///< an f32 matrix of as many rows and columns as the first axis has steps
    columns_squared  ///< an f32 matrix of as many rows and columns as such a step has elements
  };

  StateSpec(const char* its_name, Kind its_kind = Kind::f32, Predicate its_owners = {}, bool is_optional = false)
      : name(its_name), kind(its_kind), owners(std::move(its_owners)), optional(is_optional) {}

  std::string name;
  Kind kind;
  Predicate owners;  ///< the parameters that have it; empty for all
  bool optional;     ///< belongs to a setting: may be absent from a state whose settings were others, and is 0 then
};

/// What an optimizer is made of.
struct Definition {
  std::string name;                  ///< for errors and checkpoints: "AdamW"
  std::vector<Hyper> hypers;         ///< at most `max_hypers`; the first must be "lr"
  std::vector<StateSpec> states{};   ///< tensors kept per parameter, at most `max_states`
  Schedule clip_norm = no_clipping;  ///< the gradients' norm is cut to this; of a group that sets its own, apart
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;  ///< go uphill
  int phases = 1;         ///< how often update() sees each piece; see Piece::sums
  Predicate whole{};      ///< the parameters that transform() sees; empty for none
  Rounding rounding = Rounding::once;
  Decay decay = Decay::coupled;
  std::string variant{};             ///< what else changes the meaning of a saved state, in words
  std::vector<double> globals{};     ///< numbers of the optimizer as a whole, as they begin; see between_phases()
  bool keeps_sums = false;           ///< whether Now::sums are kept for each parameter
  bool evaluates_elsewhere = false;  ///< whether evaluation_weights() says what to evaluate and save

  // For lint().
  /// The hyperparameter that says what the mean of squared gradients keeps of itself, where steps are divided by its
  /// root from the first update on: "beta2". Empty where nothing needs to settle.
  std::string second_moment{};
  /// Whether weight decay is part of a step that is rescaled as a whole, so that its share depends on the gradients.
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
  std::array<double, max_products> products{};  ///< running products, which begin with 1; see Optimizer::prepare
  std::array<double, max_sums> sums{};          ///< running sums, which begin with 0; with Definition::keeps_sums
  std::span<const double> globals{};            ///< those of the Definition, before this step
  double scale = 1.0;                           ///< what gradients are multiplied with: clipping, divide_by, maximize

  /// A place for what prepare() computes once for all pieces: any trivial type of at most 64 bytes.
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

/// Consecutive elements of one parameter, with what belongs to them.
struct Piece {
  float* p;                              ///< the parameter
  const float* g;                        ///< its gradient, to be multiplied with now.scale
  std::array<void*, max_states> memory;  ///< the states, in the order of the Definition; null for one it has not
  std::int64_t n;                        ///< how many elements
  std::int64_t begin;                    ///< the first one's number in the parameter, a multiple of 256
  std::int64_t size;                     ///< how many elements the whole parameter has
  std::size_t parameter;                 ///< the parameter's number in the optimizer
  const Now& now;
  int phase;                        ///< counts from 0 to the Definition's phases - 1; only the last may write p
  std::array<double, 2>& sums;      ///< to be set in all phases but the last: what is to be added up over the parameter
  std::array<double, 2> totals;     ///< the sums of the phase before, over the whole parameter
  std::span<const double> globals;  ///< those of the Definition, as between_phases() left them

  /// A state of kind f32.
  float* state(std::size_t i) const { return static_cast<float*>(memory[i]); }
};

/// A whole parameter, for what cannot be done in pieces.
struct Whole {
  const float* p;
  float* g;  ///< its gradient, to be multiplied with now.scale; update() sees what is written here
  std::array<float*, max_states> memory;  ///< the states, as in Piece
  const Shape& shape;
  std::size_t parameter;  ///< the parameter's number in the optimizer
  const Now& now;
};

/// Base of all optimizers: holds the parameters, reads the schedules, and in one parallel region reads all gradients
/// (unless nothing is clipped and NonFinite is unchecked), then updates all parameters, a sweep over memory for each
/// phase. Only where there is something for transform() to do in between are the regions two.
///
/// An optimizer of your own is one class: name its numbers and states in the Definition, and override update().
class Optimizer {
 public:
  virtual ~Optimizer();
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// Applies the gradients that wait in the parameters, and clears them. A parameter without one stays as it is. One
  /// that was given another value (Parameter::set_value) goes on from that one, with the moments it has.
  /// Throws: ValueError for a schedule's value out of range, for a non-finite gradient under NonFinite::raise, when no
  /// gradient waits (StepOptions::require_gradient), and naming a parameter whose dtype is another than when the
  /// optimizer was made; nothing has changed then.
  StepReport step(const StepOptions& options = {});

  /// Drops the gradients that wait.
  void discard_gradients();

  /// Updates applied so far: the clock of the schedules.
  Step k() const;

  /// The value of the option `name` ("lr", "weight_decay", "clip_norm") for a group at step k.
  /// Throws: ValueError when there is no such option or group.
  [[nodiscard]] double value(std::string_view name, Step k, std::size_t group = 0) const;
  /// The learning rate of a group now.
  [[nodiscard]] double lr(std::size_t group = 0) const { return value("lr", k(), group); }
  /// A rate is not set here: it is a schedule, given to the constructor. scale_lr() changes it in the middle of a run.
  double lr(std::floating_point auto rate) const = delete;

  const std::string& name() const;
  const Groups& groups() const;
  const Definition& definition() const;
  /// The schedule of an option of a group, without what the journal adds. Throws: as value().
  const Schedule& schedule(std::string_view name, std::size_t group = 0) const;

  /// Multiplies the learning rate of all groups by `factor` from the next step on, whatever the schedule says.
  /// Throws: ValueError unless the factor is positive and finite.
  void scale_lr(double factor, const std::string& reason = "");
  /// The entries made so far, in order.
  const std::vector<JournalEntry>& journal() const;

  /// A text kept and saved with the optimizer for others; empty when there is none.
  std::string note(const std::string& name) const;
  void set_note(const std::string& name, std::string text);

  /// Averages the weights from now on, as part of every step. Throws: ValueError when they are averaged already.
  void average(const AverageOptions& options = {});
  /// The average of a parameter of this optimizer. Throws: ValueError when there is none, or no sample of it yet.
  Tensor averaged(const Parameter& parameter) const;
  /// Exchanges the weights with their averages, or with those that the optimizer has for evaluation (ScheduleFree); a
  /// second call takes it back, to the last bit. No step is possible in between.
  void swap_averages();
  /// Whether there is something to swap in by now.
  bool has_averages() const;

  /// From now on, every few updates the weights are drawn back towards where they were then. Moments go on.
  /// Throws: ValueError when it does already, or the options are out of range.
  void look_ahead(const LookaheadOptions& options = {});
  /// From now on, gradients of weights are clipped row by row, in proportion to the row's own norm.
  /// Throws: ValueError when they are already, or the options are out of range.
  void clip_adaptively(const AdaptiveClipOptions& options = {});

  /// Keeps a copy of every parameter in bf16, renewed by every step. (A parameter that is bf16 itself is such a copy:
  /// the optimizer keeps and updates its f32 master, "name/master" in the state.)
  void keep_bf16();
  /// The copy of a parameter. Throws: ValueError when there is none.
  Tensor bf16(const Parameter& parameter) const;

  /// Everything needed to go on exactly. Throws: ValueError when two parameters share a name, or one has none.
  OptimizerState state() const;
  /// Goes on from a state. All or nothing. Throws: ValueError that lists all that is missing, extra or does not fit,
  /// how schedules differ and which parameters are in another group; also while averages are swapped in.
  void load(const OptimizerState& state, const LoadOptions& options = {});
  /// Goes on where another program's optimizer was, after `k` updates; what ran here before is forgotten, averages
  /// included. Parameters are found by name; those not given start anew. All or nothing.
  /// Throws: ValueError that lists all that is unknown or does not fit.
  void start_from(Step k, const std::map<std::string, ParameterStart>& parameters);

 protected:
  // An optimizer of one class can be moved, so that a vector may hold it. One that was moved from is good for nothing
  // but to be destroyed or assigned to. What refers to an optimizer (Plateau, AveragedWeights) must not outlive a move.
  Optimizer(Optimizer&& other) noexcept;
  Optimizer& operator=(Optimizer&& other) noexcept;

  /// Throws: ValueError when there is no parameter, or naming one that is given twice or undefined, or a setting that
  /// does not exist or begins out of its range.
  Optimizer(Groups groups, Definition definition);

  /// Computes, once per step for parameters that share them, the numbers that update() needs. May multiply
  /// `now.products` and add to `now.sums`, which are kept for each parameter.
  virtual void prepare(Now& now) const;

  /// Turns the gradient of one parameter into what update() needs. Called on the thread that called step(), for
  /// parameters that Definition::whole asks for, one after the other: it may run kernels that use all threads.
  virtual void transform(const Whole& whole) const;

  /// Updates some elements. Called for many pieces, from several threads at once.
  virtual void update(const Piece& piece) const = 0;

  /// Called after each phase but the last, on one thread, with the sums of the phase over all parameters: may change
  /// the numbers that Definition::globals began with. They are kept when the step succeeds. `now` is that of the first
  /// parameter.
  virtual void between_phases(int phase, Now now, const std::array<double, 2>& totals, std::span<double> globals) const;
  std::span<const double> globals() const;

  /// Writes the weights that swap_averages() is to put in the place of a piece, for Definition::evaluates_elsewhere.
  virtual void evaluation_weights(const Piece& piece, float* weights) const;

 private:
  class Engine;
  Engine& engine() const;
  std::unique_ptr<Engine> engine_;
};

}  // namespace temper::optim
