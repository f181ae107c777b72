#include <temper/autograd/recompute.hpp>

#include <algorithm>

#include <temper/autograd/random.hpp>

#include "framework/autograd/recorder_internal.hpp"
#include "framework/core/format_internal.hpp"
#include "framework/core/mutants_internal.hpp"

namespace temper::detail {

namespace {

thread_local bool computing_again = false;

}  // namespace

/// A block whose operations are recorded when backward comes to it; the object of its node's closure.
struct Recorder::Block {
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

bool Recorder::begin_block() {
  if (in_block_) return false;
  in_block_ = true;
  return true;
}

void Recorder::leave_block() {
  in_block_ = false;
  block_inputs_.clear();
}

bool Recorder::block_wanted(const Tensor& y) {
  in_block_ = false;
  // One of its inputs is known to the tape already.
  return slot_of(y) < 0 &&
         std::ranges::any_of(block_inputs_, [this](const Tensor& input) { return wants(slot_of(input)); });
}

void Recorder::record_block(const Tensor& y, const Again& again, std::uint64_t first_call, const RandomState& random) {
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

void Recorder::note_input(const Tensor& input) {
  if (!input.defined() || slot_of(input) < 0) return;
  if (std::ranges::any_of(block_inputs_, [&](const Tensor& known) { return known.same(input); })) return;
  block_inputs_.push_back(input);
}

/// Computes a block again, now recording, and walks what it recorded. Its operations thus see the tape as they would
/// have done the first time, and add to the same sums in the same order.
void Recorder::walk_block(const Node& node, Tensor dy) {
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

Tensor Recorder::compute_again(const Block& block) {
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
  if (block.drew && !mutant(Mutant::block_draws_anew)) set_random_state(block.random);
  if (mutant(Mutant::block_masks_as_evaluated)) current_mode = Mode::evaluate;
  return block.again.call(block.again.object);
}

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

}  // namespace temper::detail
