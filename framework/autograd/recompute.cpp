#include <temper/autograd/recompute.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include <temper/autograd/random.hpp>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/autograd/recorder_internal.hpp"
#include "framework/core/format_internal.hpp"

namespace temper::detail {

namespace {

/// A 64-bit hash of the elements' bits.
std::uint64_t fingerprint(const Tensor& x) {
  const auto* const bytes = with_type(x.dtype(), [&]<class T>() { return reinterpret_cast<const char*>(x.data<T>()); });
  const std::size_t size = static_cast<std::size_t>(x.numel()) * size_of(x.dtype());
  // Four independent chains: in one, each multiplication would wait for the one before.
  std::array<std::uint64_t, 4> sums{1, 2, 3, 4};
  constexpr std::size_t stride = sizeof sums;
  for (std::size_t at = 0; at < size; at += stride) {
    std::array<std::uint64_t, 4> words{};
    std::memcpy(words.data(), bytes + at, std::min(stride, size - at));
    for (std::size_t i = 0; i < 4; ++i) sums[i] = (std::rotl(sums[i], 29) ^ words[i]) * 0x9e3779b97f4a7c15u;
  }
  return sums[0] ^ std::rotl(sums[1], 16) ^ std::rotl(sums[2], 32) ^ std::rotl(sums[3], 48);
}

}  // namespace

/// A block whose operations are recorded when backward reaches it; the object of its node's closure.
struct Recorder::Block {
  BlockFunction function;
  std::span<Saved> inputs;  // the tensors it used that are older than it; in the arena, as `numbers`
  Mode mode;
  std::uint64_t first_call, calls_end;  // of the tape's random masks
  std::uint64_t seed;
  std::span<std::uint64_t> numbers;  // those it took from the random generator
  std::uint64_t fingerprint;         // of its result

  static void destroy(void* object) {
    auto* block = static_cast<Block*>(object);
    std::destroy(block->inputs.begin(), block->inputs.end());
    block->function.destroy(block->function.object);
  }
};

std::vector<std::uint64_t>& Recorder::begin_block() {
  block_inputs_.clear();
  block_numbers_.clear();
  block_born_ = next_tensor_id();
  block_first_call_ = calls_;
  return block_numbers_;
}

void Recorder::note_input(const Tensor& x) {
  if (!x.defined() || x.id() >= block_born_) return;  // the block made it
  if (std::ranges::any_of(block_inputs_, [&](const Saved& known) { return known.tensor_.same(x); })) return;
  slot_of_input(x);
  Saved& saved = block_inputs_.emplace_back();
  saved.tensor_ = x;
  saved.version_ = x.version();
  link(saved);
}

bool Recorder::block_wanted(const Tensor& y) {
  const bool wanted =
      y.id() >= block_born_ &&  // else it is one of its inputs, which the tape tracks already
      (y.dtype() == Dtype::f32 || y.dtype() == Dtype::bf16) &&
      std::ranges::any_of(block_inputs_, [this](const Saved& input) { return wants(slot_of_input(input)); });
  if (!wanted) block_inputs_.clear();
  return wanted;
}

void Recorder::record_block(const Tensor& y, const BlockFunction& function, Mode mode, std::uint64_t seed,
                            std::span<const std::uint64_t> numbers) {
  const std::size_t count = block_inputs_.size();
  Begun begun{"recompute", nullptr, static_cast<std::int32_t>(count), ~0u, 0};
  try {
    auto* slots = static_cast<std::int32_t*>(arena_.allocate(count * sizeof(std::int32_t)));
    auto* inputs = static_cast<Saved*>(arena_.allocate(count * sizeof(Saved)));
    auto* taken = static_cast<std::uint64_t*>(arena_.allocate(numbers.size_bytes()));
    void* const space = arena_.allocate(sizeof(Block));
    for (std::size_t i = 0; i < count; ++i) slots[i] = slot_of_input(*block_inputs_[i]);
    make_room();
    // Nothing throws from here on.
    begun.inputs = slots;
    for (std::size_t i = 0; i < count; ++i) new (inputs + i) Saved(std::move(block_inputs_[i]));
    block_inputs_.clear();
    std::ranges::copy(numbers, taken);
    auto* block = new (space)
        Block{function, {inputs, count}, mode, block_first_call_, calls_, seed, {taken, numbers.size()}, fingerprint(y)};
    add_node(y, begun, {block, nullptr, Block::destroy, false});
  } catch (...) {
    function.destroy(function.object);
    throw;
  }
}

/// Computes a block again, now recording, and walks what it recorded. Its operations thus see the tape as they would
/// without recompute(), and add to the same sums in the same order.
void Recorder::walk_block(const Node& node, Tensor dy) {
  const Block& block = *static_cast<const Block*>(node.closure.object);
  const std::size_t rest = nodes_.size(), known = slots_.size();
  const std::uint64_t begun = next_tensor_id();
  Tensor y = compute_again(block);
  if (calls_ != block.calls_end || !y.defined() || !(y.shape() == dy.shape()) || y.dtype() != dy.dtype()) {
    fail<TapeError>("recompute: the block gave {} with {} random masks, the first time {} {} with {}",
                    y.defined() ? fmt::format("{} {}", y.dtype(), y.shape()) : "an undefined tensor",
                    calls_ - block.first_call, dy.dtype(), dy.shape(), block.calls_end - block.first_call);
  }
  if (fingerprint(y) != block.fingerprint) {
    fail<TapeError>("recompute: the block gave other numbers than the first time");
  }
  for (std::size_t i = known; i < slots_.size(); ++i) {
    if (slots_[i].parameter && slots_[i].parameter->value.id() < begun) {
      fail<TapeError>("recompute: the block used a parameter {} that it did not use the first time", slots_[i].shape);
    }
  }
  const std::int32_t slot = slot_of_input(y);
  y = Tensor();
  plan(slot, rest);
  check_saved();
  destroy_unneeded(rest);
  if (wants(slot)) give(slot, std::move(dy));
  walk(rest);
}

Tensor Recorder::compute_again(const Block& block) {
  struct SecondRun {
    Scope scope;
    SecondRun(Recorder& recorder, Mode mode) : scope{&recorder, mode, Scope::Kind::second_run} { enter(scope); }
    ~SecondRun() { leave(scope); }
  };
  const SecondRun second(*this, block.mode);
  const RepeatRandom repeat(RandomState{.seed = block.seed}, block.numbers);
  calls_ = block.first_call;
  Tensor y = block.function.call(block.function.object);
  if (repeat.taken() != block.numbers.size()) {
    fail<TapeError>("recompute: the block drew {} times from the random generator, the first time {}", repeat.taken(),
                    block.numbers.size());
  }
  return y;
}

FirstRun::FirstRun() : scope_{nullptr, training() ? Mode::train : Mode::evaluate, Scope::Kind::first_run} {
  const Scope* outer = innermost();
  // A block within another one is a part of it.
  if (outer == nullptr || outer->recorder == nullptr || outer->kind == Scope::Kind::first_run) return;
  scope_.recorder = outer->recorder;
  seed_ = random_seed();
  numbers_ = &scope_.recorder->begin_block();
  note_.emplace(*numbers_);
  enter(scope_);
}

FirstRun::~FirstRun() { leave(scope_); }

void* FirstRun::allocate(const Tensor& y, std::size_t bytes) {
  if (!y.defined()) fail<ValueError>("recompute: the block gave an undefined tensor");
  const bool recorded = leave(scope_);  // false when there was no tape, or the block has ended it
  note_.reset();
  return recorded && scope_.recorder->block_wanted(y) ? scope_.recorder->allocate(bytes) : nullptr;
}

void FirstRun::record(const Tensor& y, const BlockFunction& function) {
  scope_.recorder->record_block(y, function, scope_.mode, seed_, *numbers_);
}

bool recomputing() {
  for (const Scope* scope = innermost(); scope != nullptr; scope = scope->outer) {
    if (scope->kind == Scope::Kind::second_run) return true;
  }
  return false;
}

}  // namespace temper::detail
