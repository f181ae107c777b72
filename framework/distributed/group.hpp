#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <temper/distributed/transport.hpp>

namespace temper::distributed {

/// The options of a Group.
struct GroupOptions {
  /// How long a process waits for another one before it gives up with a LostError. Longer than whatever one of them does
  /// alone, such as writing a checkpoint.
  std::chrono::seconds limit{300};
};

/// What all processes must agree about: a name and a text, such as {"parameter 'head.weight'", "f32 [10, 128]"}.
struct Fact {
  std::string name;
  std::string value;
};

/// The processes that train together. Under mpirun (or srun, or what else starts MPI) all that it started; otherwise this
/// process alone, without any MPI. Make one at the beginning of main; there is one at a time.
///
///     distributed::Group world;
///     print("{} of {}", world.rank(), world.size());
///
/// All processes call the same functions in the same order. Where one calls another function, both say so at once; where
/// one does not come at all, the others throw a LostError after GroupOptions::limit, with its rank and the last thing it
/// was heard doing. A Group that an exception destroys calls abandon().
class Group {
 public:
  /// Throws: ValueError when a launcher of MPI started several processes and this build of Temper is without MPI.
  explicit Group(const GroupOptions& options = {});
  /// Over a transport of your own.
  explicit Group(std::unique_ptr<Transport> transport, const GroupOptions& options = {});
  ~Group();
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  /// The number of this process, from 0.
  int rank() const;
  /// The number of processes.
  int size() const;
  /// How many of the processes are on this machine, this one included.
  int neighbours() const;

  /// Says what this process is doing, for the errors of others: "step 412".
  void doing(std::string_view what);
  /// What doing() said last.
  std::string_view activity() const { return activity_; }

  // All below throw, on every process that notices: LostError when a process does not answer, ValueError when it does
  // something else.

  /// Returns when all processes have come.
  void barrier();
  /// The bytes of the process `from`, for all.
  void broadcast(std::span<std::byte> bytes, int from = 0);
  /// Its text, for all.
  std::string broadcast(const std::string& text, int from = 0);
  /// Its value, for all.
  template <class T>
    requires std::is_trivially_copyable_v<T>
  T broadcast(T value, int from = 0) {
    broadcast(std::as_writable_bytes(std::span(&value, 1)), from);
    return value;
  }
  /// The bytes of every process, by rank, for all. Their numbers may differ.
  std::vector<std::vector<std::byte>> gather(std::span<const std::byte> bytes);
  /// The values of every process, by rank, for all.
  template <class T>
    requires std::is_trivially_copyable_v<T>
  std::vector<T> gather(const T& value) {
    std::vector<T> all;
    for (const auto& bytes : gather(std::as_bytes(std::span(&value, 1)))) {
      std::memcpy(&all.emplace_back(), bytes.data(), sizeof(T));
    }
    return all;
  }
  /// The sums over all processes, added in the order of their ranks, so that all have the same bits.
  void sum(std::span<double> values);

  /// Checks that all processes have the same facts. Throws: ValueError on all of them, with the first difference and both
  /// ranks.
  void check_same(const std::vector<Fact>& facts);

  /// Sends to one process and receives from another one; a rank of -1 leaves out that half. `what` names it for errors.
  void exchange(const char* what, int to, std::span<const std::byte> sent, int from, std::span<std::byte> received);

  /// For a program that ends by an error which it handles itself: the others do not wait for this process. Under MPI it
  /// must end soon, with a status other than 0; then the launcher ends the others. Returns whether the process of rank 0
  /// has called this, too, so that it is enough if that one says why.
  bool abandon(const std::string& why) noexcept;

 private:
  struct Word;
  Word word(const char* what, std::size_t bytes) const;
  std::uint64_t greet(const char* what, int to, std::size_t bytes, int from);
  void move(const char* what, int to, std::span<const std::byte> sent, int from, std::span<std::byte> received);
  void pass(const char* what, int to, std::span<const std::byte> sent, int from, std::span<std::byte> received);

  std::unique_ptr<Transport> transport_;  // null: this process alone
  GroupOptions options_;
  std::string activity_ = "the beginning";
  std::vector<std::string> heard_;  // by rank: what it was doing when it was heard of last
  bool lost_ = false;
  int exceptions_;  // in flight when this was made
};

}  // namespace temper::distributed
