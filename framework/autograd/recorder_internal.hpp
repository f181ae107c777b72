#pragma once

// What is behind a Tape. tape.cpp records, backward.cpp walks back, recompute.cpp has the blocks that are computed
// again.

#include <memory>
#include <span>
#include <vector>

#include <temper/autograd/recompute.hpp>
#include <temper/autograd/tape.hpp>

#include "framework/autograd/arena_internal.hpp"

namespace temper::detail {

class Recorder {
 public:
  // tape.cpp
  void begin(Mode mode);
  /// Stops recording; an outer tape goes on.
  void stop();
  void clear();
  void watch(const Tensor& x);
  void* begin_record(std::span<const Tensor> inputs, std::size_t bytes);
  void end_record(const char* name, const Tensor& y, Closure closure);

  // backward.cpp
  void backward(const Tensor& loss, const std::span<const Parameter>* only);
  Tensor gradient(const Tensor& x) const;
  bool wants(std::int32_t slot) const { return slot >= 0 && slots_[index(slot)].wanted; }
  void give(std::int32_t slot_number, Tensor gradient);
  Gradients::Target into(std::int32_t slot_number);
  void link(Saved& saved);
  void unlink(Saved& saved);

  // recompute.cpp
  /// From here to block_wanted or leave_block nothing is recorded, but what is used of this tape noted. False within
  /// another block.
  bool begin_block();
  void leave_block();
  /// Whether a gradient will flow through `y`, what the block gave, into the block.
  bool block_wanted(const Tensor& y);
  void record_block(const Tensor& y, const Again& again, std::uint64_t first_call, const RandomState& random);

  void* allocate(std::size_t bytes) { return arena_.allocate(bytes); }
  const char* node_name() const { return nodes_.back().name; }
  std::int64_t size() const { return static_cast<std::int64_t>(nodes_.size()); }
  std::uint64_t next_call() { return calls_++; }
  std::uint64_t calls() const { return calls_; }
  std::uint64_t training_tape() const { return training_tape_; }
  bool records(std::uint64_t serial) const { return active_ && serial_ == serial; }
  std::uint64_t serial() const { return serial_; }

  Recorder* next_free = nullptr;

 private:
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

  struct Block;

  static std::size_t index(std::int32_t slot) { return static_cast<std::size_t>(slot); }
  static Dtype gathered_in(const Slot& slot) { return slot.parameter ? Dtype::f32 : slot.dtype; }
  static Tensor& gathered(Slot& slot) { return slot.parameter ? slot.parameter->gradient : slot.gradient; }
  static void destroy(Node& node) {
    if (node.closure.object != nullptr) node.closure.destroy(node.closure.object);
    node.closure.object = nullptr;
  }

  // tape.cpp
  std::int32_t slot_of(const Tensor& x);
  std::int32_t add_slot(const Tensor& x, std::shared_ptr<ParameterState> parameter);

  // backward.cpp
  static bool listed(std::span<const Parameter> parameters, const ParameterState* state);
  std::int32_t slot_of_recorded(const Tensor& loss) const;
  void check_saved() const;
  void restrict_to(std::span<const Parameter> parameters);
  /// Runs the backward functions of all nodes but the first `rest`, the last one first.
  void walk(std::size_t rest);

  // recompute.cpp
  void note_input(const Tensor& input);
  void walk_block(const Node& node, Tensor dy);
  Tensor compute_again(const Block& block);

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

/// The tape that records on this thread, if any, and how layers behave.
extern constinit thread_local Recorder* current;
extern constinit thread_local Mode current_mode;

}  // namespace temper::detail
