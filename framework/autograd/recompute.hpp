#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <temper/autograd/tape.hpp>
#include <temper/core/random.hpp>

namespace temper {

namespace detail {

/// Type-erased block in the tape's arena.
struct BlockFunction {
  void* object;
  Tensor (*call)(void* object);
  void (*destroy)(void* object);
};

/// The first run of a block. During its lifetime the tape records no operation, but notes the tensors the block uses.
class FirstRun {
 public:
  FirstRun();
  ~FirstRun();
  FirstRun(const FirstRun&) = delete;
  FirstRun& operator=(const FirstRun&) = delete;

  /// Ends the run. Space for the block on the tape; null when no gradient will flow through `y`, its result.
  void* allocate(const Tensor& y, std::size_t bytes);
  /// Completes what allocate() began.
  void record(const Tensor& y, const BlockFunction& function);

 private:
  Scope scope_;
  std::uint64_t seed_ = 0;
  std::vector<std::uint64_t>* numbers_ = nullptr;  // what the block takes from the random generator
  std::optional<NoteRandom> note_;
};

template <class Run>
Tensor recompute(Run run) {
  static_assert(alignof(Run) <= 16);
  FirstRun first;
  Tensor y = run();
  if (void* space = first.allocate(y, sizeof(Run))) {
    first.record(y, {new (space) Run(std::move(run)), [](void* object) { return (*static_cast<Run*>(object))(); },
                     [](void* object) { static_cast<Run*>(object)->~Run(); }});
  }
  return y;
}

}  // namespace detail

/// `block(inputs...)`, keeping for backward the inputs alone (activation checkpointing): backward computes the block a
/// second time. That is a third more work, and the activations of one block at a time are in memory instead of all:
///
///     for (const GptBlock& block : blocks) x = recompute(block, x);
///
/// Nothing else changes. Gradients, dropout masks and running statistics are the same to the last bit; what the block
/// uses beside its inputs (parameters, tensors a lambda captured) gets its gradient too. The block is copied or moved
/// onto the tape; one that cannot be copied, as a layer, is referred to and must live until backward. It must compute
/// the same twice, and not watch a tensor within. Blocks may contain others. Throws: ValueError for an
/// undefined result; backward throws a TapeError when the second run gives other bits, draws other random numbers or
/// uses another parameter, or when something the block used was changed in place meanwhile. Source: Chen, Xu, Zhang,
/// Guestrin, "Training deep nets with sublinear memory cost" (2016).
template <class Block, std::same_as<Tensor>... Inputs>
Tensor recompute(Block&& block, const Inputs&... inputs) {
  using Plain = std::remove_cvref_t<Block>;
  static_assert(std::invocable<const Plain&, const Inputs&...>, "a block is a function of its inputs");
  if constexpr (std::is_lvalue_reference_v<Block> && !std::is_copy_constructible_v<Plain>) {
    return detail::recompute([&block, ... saved = save(inputs)]() -> Tensor { return block(*saved...); });
  } else {
    return detail::recompute(
        [held = Plain(std::forward<Block>(block)), ... saved = save(inputs)]() -> Tensor { return held(*saved...); });
  }
}

}  // namespace temper
