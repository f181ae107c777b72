#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace temper {

/// Seeds everything random from here on: initialization, shuffling, dropout. Resets all counters.
void manual_seed(std::uint64_t seed);

/// The whole state of the random generator. Every random number is a function of the seed and of counters, so saving
/// these three numbers is enough to resume exactly.
struct RandomState {
  std::uint64_t seed = 0;
  std::uint64_t draws = 0;  ///< random tensors drawn so far (initialization, factories)
  std::uint64_t tapes = 0;  ///< training tapes begun so far (dropout)

  friend bool operator==(const RandomState&, const RandomState&) = default;
};

RandomState random_state();
void set_random_state(const RandomState& state);

namespace detail {

/// What the numbers of a stream are used for: equal counters in different uses give unrelated numbers.
enum class RandomUse : std::uint32_t {
  draw = 1,
  dropout = 2,
  shuffle = 3,
  transform = 4,
  rounding = 5,
  mixup = 6,
  sample = 7,
  gradcheck = 8
};

/// A key of the counter-based generator: four 32-bit numbers for each 64-bit counter.
/// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011), Philox4x32-10.
class RandomStream {
 public:
  /// `a` and `b` tell apart the streams of one use: epoch and element, tape and call.
  RandomStream(std::uint64_t seed, RandomUse use, std::uint64_t a, std::uint64_t b = 0);

  std::array<std::uint32_t, 4> operator()(std::uint64_t counter) const;
  /// Uniform in [0, 1) with 53 bits.
  double uniform(std::uint64_t counter) const;
  /// Standard normal.
  double normal(std::uint64_t counter) const;
  /// Uniform in [0, bound), without bias.
  std::uint64_t below(std::uint64_t bound, std::uint64_t counter) const;

  std::array<std::uint32_t, 2> key() const { return key_; }
  std::array<std::uint32_t, 2> nonce() const { return nonce_; }

 private:
  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 2> nonce_;
};

/// The stream of the next random tensor.
RandomStream next_draw();
/// The number of the next training tape.
std::uint64_t next_training_tape();
/// The seed in effect on this thread.
std::uint64_t random_seed();

/// During its lifetime, the numbers that this thread takes (draws, training tapes) are recorded, for a RepeatRandom.
class NoteRandom {
 public:
  explicit NoteRandom(std::vector<std::uint64_t>& numbers);
  ~NoteRandom();
  NoteRandom(const NoteRandom&) = delete;
  NoteRandom& operator=(const NoteRandom&) = delete;

 private:
  friend struct RandomSource;
  std::vector<std::uint64_t>& numbers_;
  NoteRandom* outer_;
};

/// During its lifetime, this thread has a generator of its own, so that the same work draws the same numbers again: the
/// recorded ones, then those that count on from `start`. The shared generator and outer NoteRandoms do not change.
class RepeatRandom {
 public:
  explicit RepeatRandom(const RandomState& start, std::span<const std::uint64_t> numbers = {});
  ~RepeatRandom();
  RepeatRandom(const RepeatRandom&) = delete;
  RepeatRandom& operator=(const RepeatRandom&) = delete;

  std::uint64_t seed() const { return state_.seed; }
  /// How many numbers have been taken so far.
  std::size_t taken() const { return taken_; }

 private:
  friend struct RandomSource;
  RandomState state_;
  std::span<const std::uint64_t> numbers_;
  std::size_t taken_ = 0;
  RepeatRandom* outer_;
  NoteRandom* outer_note_;
};

}  // namespace detail
}  // namespace temper
