#include <temper/core/random.hpp>

#include <Random123/philox.h>

#include <cmath>
#include <mutex>
#include <numbers>
#include <utility>

namespace temper {

namespace {

struct Generator {
  std::mutex mutex;
  RandomState state;
};

Generator& generator() {
  static Generator instance;
  return instance;
}

/// Spreads 64-bit numbers over all bits. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number
/// generators" (2014), the SplitMix64 finalizer.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

std::array<std::uint32_t, 2> halves(std::uint64_t x) {
  return {static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(x >> 32)};
}

std::uint64_t joined(std::uint32_t low, std::uint32_t high) { return std::uint64_t{high} << 32 | low; }

}  // namespace

void manual_seed(std::uint64_t seed) { set_random_state({.seed = seed}); }

RandomState random_state() {
  const std::lock_guard lock(generator().mutex);
  return generator().state;
}

void set_random_state(const RandomState& state) {
  const std::lock_guard lock(generator().mutex);
  generator().state = state;
}

namespace detail {

RandomStream::RandomStream(std::uint64_t seed, RandomUse use, std::uint64_t a, std::uint64_t b)
    : key_(halves(mix(seed ^ mix(static_cast<std::uint64_t>(use))))), nonce_(halves(mix(mix(a) ^ b))) {}

std::array<std::uint32_t, 4> RandomStream::operator()(std::uint64_t counter) const {
  const auto [low, high] = halves(counter);
  const r123::Philox4x32::ctr_type words =
      r123::Philox4x32()({{low, high, nonce_[0], nonce_[1]}}, {{key_[0], key_[1]}});
  return {words[0], words[1], words[2], words[3]};
}

double RandomStream::uniform(std::uint64_t counter) const {
  const auto words = (*this)(counter);
  return static_cast<double>(joined(words[0], words[1]) >> 11) * 0x1p-53;
}

double RandomStream::normal(std::uint64_t counter) const {
  // Box-Muller; 1 - u keeps the logarithm's argument above zero.
  const auto words = (*this)(counter);
  const double radius = static_cast<double>(joined(words[0], words[1]) >> 11) * 0x1p-53;
  const double angle = static_cast<double>(joined(words[2], words[3]) >> 11) * 0x1p-53;
  return std::sqrt(-2.0 * std::log(1.0 - radius)) * std::cos(2.0 * std::numbers::pi * angle);
}

std::uint64_t RandomStream::below(std::uint64_t bound, std::uint64_t counter) const {
  // A 128-bit product of 64 random bits: the bias is below bound / 2^64.
  __extension__ using Wide = unsigned __int128;
  const auto words = (*this)(counter);
  return static_cast<std::uint64_t>(static_cast<Wide>(joined(words[0], words[1])) * bound >> 64);
}

/// Where this thread's numbers come from, and who records them.
struct RandomSource {
  RepeatRandom* repeat = nullptr;  // null: the generator of all threads
  NoteRandom* note = nullptr;

  struct Taken {
    std::uint64_t seed, number;
  };
  /// The next number that `counter` counts.
  Taken take(std::uint64_t RandomState::*counter) {
    Taken result{};
    if (repeat != nullptr) {
      const std::size_t place = repeat->taken_++;
      result = {repeat->state_.seed,
                place < repeat->numbers_.size() ? repeat->numbers_[place] : (repeat->state_.*counter)++};
    } else {
      const std::lock_guard lock(generator().mutex);
      result = {generator().state.seed, (generator().state.*counter)++};
    }
    for (NoteRandom* each = note; each != nullptr; each = each->outer_) each->numbers_.push_back(result.number);
    return result;
  }
};

namespace {

constinit thread_local RandomSource source;

}  // namespace

RandomStream next_draw() {
  const auto [seed, number] = source.take(&RandomState::draws);
  return {seed, RandomUse::draw, number};
}

std::uint64_t next_training_tape() { return source.take(&RandomState::tapes).number; }

std::uint64_t random_seed() { return source.repeat != nullptr ? source.repeat->seed() : random_state().seed; }

NoteRandom::NoteRandom(std::vector<std::uint64_t>& numbers)
    : numbers_(numbers), outer_(std::exchange(source.note, this)) {}
NoteRandom::~NoteRandom() { source.note = outer_; }

RepeatRandom::RepeatRandom(const RandomState& start, std::span<const std::uint64_t> numbers)
    : state_(start),
      numbers_(numbers),
      outer_(std::exchange(source.repeat, this)),
      outer_note_(std::exchange(source.note, nullptr)) {}
RepeatRandom::~RepeatRandom() {
  source.repeat = outer_;
  source.note = outer_note_;
}

}  // namespace detail
}  // namespace temper
