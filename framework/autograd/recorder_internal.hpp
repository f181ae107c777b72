#pragma once

// What is behind a Tape: tape.cpp records, backward.cpp walks back, gradient.cpp walks back and records, recompute.cpp
// has the blocks that are computed again, scope_internal.hpp says who records.
//
// What always holds:
//  - A tensor has at most one slot on a tape, found by its id: as a source (a parameter or a watched tensor) or as the
//    output of one node. The inputs of a node have smaller slots than its output. `constant` marks what an operation
//    used and no gradient can flow into, so that it cannot be watched afterwards.
//  - A slot leads on when a gradient there is of use: that of a source somebody asks for, that of an output which leads
//    to such a source or is watched itself. A node is recorded when one of its inputs leads on.
//  - Gradients gather in the slots. Parameters, which other tapes and threads may share, are touched by deliver() alone,
//    when nothing can fail any more.
//  - Nodes and slots are made by functions that do not throw, in room made before: what throws leaves no half of one.
//  - A Saved is in its recorder's list as long as both live.

#include <algorithm>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <temper/autograd/recompute.hpp>
#include <temper/autograd/tape.hpp>

#include "framework/autograd/arena_internal.hpp"
#include "framework/autograd/scope_internal.hpp"
#include "framework/autograd/slot_map_internal.hpp"

namespace temper::detail {

/// The bit of an input of an operation, the last one for all from there on.
inline std::uint32_t bit_of(std::size_t input) { return std::uint32_t{1} << std::min<std::size_t>(input, 31); }

class Recorder {
 public:
  Recorder() : scope_{this, Mode::train, Scope::Kind::tape} {}

  // tape.cpp
  void begin(Mode mode);
  void clear();
  void watch(const Tensor& x);
  bool would_record(std::span<const Tensor> inputs) const;
  void* begin_record(const char* name, std::span<const Tensor> inputs, std::size_t bytes);
  void end_record(const Tensor& y, Closure closure);

  // backward.cpp
  void backward(const Tensor& loss, const std::span<const Parameter>* only);
  Tensor gradient(const Tensor& x) const;
  bool wants(std::int32_t slot) const { return slot >= 0 && slots_[index(slot)].leads_on; }
  void give(std::int32_t slot_number, Tensor gradient);
  Gradients::Target into(std::int32_t slot_number);
  bool sparse(std::int32_t slot) const { return slot >= 0 && gathers_rows(slots_[index(slot)]); }
  void give_rows(std::int32_t slot_number, RowGradient gradient);
  void link(Saved& saved);
  void unlink(Saved& saved);
  /// `to` takes the place of `from` in the list.
  void move_link(Saved& from, Saved& to);

  // gradient.cpp
  std::vector<Tensor> gradients(const Tensor& y, const std::vector<Tensor>& x);
  /// What a backward function asks for and gives. While gradients() walks, that goes by its own marks and sums.
  bool wanted(std::int32_t slot) const { return recorded_walk_ == nullptr ? wants(slot) : wanted_by_walk(slot); }
  const Shape& shape(std::int32_t slot) const { return slots_[index(slot)].shape; }

  // recompute.cpp
  /// From here on note_input() notes. Gives what to note the random numbers in that the block takes.
  std::vector<std::uint64_t>& begin_block();
  /// Notes what a block uses, as it is at its first use.
  void note_input(const Tensor& x);
  /// Ends the noting. Whether a gradient will flow through `y`, what the block gave, into the block.
  bool block_wanted(const Tensor& y);
  void record_block(const Tensor& y, const BlockFunction& function, Mode mode, std::uint64_t seed,
                    std::span<const std::uint64_t> numbers);

  void* allocate(std::size_t bytes) { return arena_.allocate(bytes); }
  /// Of the operation whose backward function runs.
  const char* node_name() const { return running().name; }
  std::int64_t size() const { return static_cast<std::int64_t>(nodes_.size()); }
  std::uint64_t next_call() { return calls_++; }
  std::uint64_t training_tape() const { return training_tape_; }
  Scope& scope() { return scope_; }

  Recorder* next_unused = nullptr;

 private:
  /// A value on the tape.
  struct Slot {
    Shape shape;
    Dtype dtype;                                // of the value; a parameter's gradient is f32 whatever it is
    std::uint32_t version;                      // of the value when it came on the tape
    std::int32_t node;                          // whose output it is, -1 for a source
    std::shared_ptr<ParameterState> parameter;  // whose value it is, if a parameter's
    Tensor gradient;                            // the sum so far
    bool watched;                               // gradient() may ask for it: kept after the walk
    bool delivers = false;                      // the gradient goes to the parameter
    bool leads_on = false;
    bool reached = false;  // by a gradient from the loss
    RowGradient rows{};    // the sum so far, of a sparse parameter
  };

  struct Node {
    const char* name;
    Closure closure;
    const std::int32_t* inputs;  // slots, -1 for a constant; in the arena
    std::int32_t input_count;
    std::int32_t output;
    bool needed = false;  // a gradient reaches it and leads on
  };

  /// What begin_record hands to end_record.
  struct Begun {
    const char* name;
    const std::int32_t* inputs;
    std::int32_t input_count;
    std::uint32_t wanted;  // the bits of those inputs that lead on
    std::size_t bytes;     // of the closure
  };

  struct Block;
  struct RecordedWalk;
  enum class State { recording, walking, done };

  static constexpr std::int32_t constant = -1;

  static std::size_t index(std::int32_t slot) { return static_cast<std::size_t>(slot); }
  static Dtype gathered_in(const Slot& slot) { return slot.parameter ? Dtype::f32 : slot.dtype; }
  static bool gathers_rows(const Slot& slot) { return slot.parameter && slot.parameter->sparse; }
  void require_dense(const Slot& slot) const;
  static void destroy(Node& node) {
    if (node.closure.object != nullptr) node.closure.destroy(node.closure.object);
    node.closure.object = nullptr;
  }

  // tape.cpp
  /// The slot of an input of an operation: parameters come on the tape here, and constants are marked.
  std::int32_t slot_of_input(const Tensor& x);
  std::int32_t add_source(const Tensor& x, std::shared_ptr<ParameterState> parameter, bool watched);
  void make_room();
  void add_node(const Tensor& y, const Begun& begun, Closure closure) noexcept;

  // backward.cpp
  /// Says whether the gradient of a source leads on and where it goes.
  void ask(Slot& slot) const;
  /// `call` and `argument` are for the error.
  std::int32_t slot_of_root(const char* call, const char* argument, const Tensor& root);
  /// Throws when a gradient for a slot has another shape or dtype.
  void check_given(const Slot& slot, const Tensor& gradient) const;
  /// Says of all slots and nodes what a backward from `root` for `only` comes by.
  void plan_all(std::int32_t root, const std::span<const Parameter>* only);
  /// Says which of the nodes from `first` on a gradient at `root` will reach and lead on from.
  void plan(std::int32_t root, std::size_t first);
  /// Throws when a tensor was changed that a gradient needs: needs(node, slot) says whether a node computes that of an
  /// input.
  void check_saved(const char* call, const std::function<bool(std::int32_t, std::int32_t)>& needs) const;
  void check_saved() const;
  /// Destroys the closures of the other nodes from `first` on.
  void destroy_unneeded(std::size_t first);
  /// Runs the backward functions of all nodes but the first `rest`, the last one first.
  void walk(std::size_t rest);
  /// Adds the gradients to the parameters.
  void deliver();

  // gradient.cpp
  bool wanted_by_walk(std::int32_t slot) const;
  void give_recorded(std::int32_t slot, Tensor gradient);
  const Node& running() const;

  // recompute.cpp
  void walk_block(const Node& node, Tensor dy);
  Tensor compute_again(const Block& block);

  Arena arena_;
  std::vector<Node> nodes_;
  std::vector<Slot> slots_;
  SlotMap map_;
  Saved* saved_ = nullptr;
  Scope scope_;
  State state_ = State::done;
  std::uint64_t born_ = 0;  // tensors of smaller ids are older than the tape
  std::uint64_t training_tape_ = 0;
  std::uint64_t calls_ = 0;
  bool used_frozen_ = false;  // an operation used a frozen parameter
  Begun begun_{};
  const std::span<const Parameter>* only_ = nullptr;  // while walking: whose gradients are asked for, null for all
  RecordedWalk* recorded_walk_ = nullptr;             // while gradients() walks
  std::uint64_t block_born_ = 0;                      // tensors of smaller ids are older than the block that runs
  std::uint64_t block_first_call_ = 0;
  std::vector<Saved> block_inputs_;           // what the block that runs has used of what is older
  std::vector<std::uint64_t> block_numbers_;  // what it took from the random generator
  // While delivering: what waited at each sparse parameter, and the sum with that.
  std::vector<std::pair<Tensor, RowGradient>> row_sums_;
};

}  // namespace temper::detail
