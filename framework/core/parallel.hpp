#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace temper {

/// Number of threads that kernels use: by default OpenMP's (OMP_NUM_THREADS, or the number of cores).
int threads();

/// The largest count that set_threads accepts: 256, or 16 times the number of cores where that is more.
int max_threads();

/// Sets threads(), at most to OpenMP's thread limit. Throws: ValueError below 1 and above max_threads().
void set_threads(int count);

namespace detail {

/// Makes OpenMP start as many threads for the calling thread as it announces. oneDNN hangs when a parallel region gets
/// fewer threads than planned (OMP_DYNAMIC, OMP_THREAD_LIMIT, OMP_MAX_ACTIVE_LEVELS=0). OpenMP keeps these settings for
/// each thread, so code that runs OpenMP or oneDNN calls this first. Cheap after the first time.
void prepare_thread();

/// During its lifetime parallel_for on this thread uses no other: for loader workers, which share cores with training.
class SerialScope {
 public:
  SerialScope();
  ~SerialScope();
  SerialScope(const SerialScope&) = delete;
  SerialScope& operator=(const SerialScope&) = delete;

 private:
  bool outer_;
};

using Chunk = void (*)(void* context, std::int64_t chunk, std::int64_t begin, std::int64_t end);
void run_chunks(std::int64_t count, std::int64_t grain, Chunk chunk, void* context);

}  // namespace detail

/// One thread's view of a parallel region that does its work in several passes; see parallel_team.
class Team {
 public:
  Team(int thread, int size) : thread_(thread), size_(size) {}

  int thread() const { return thread_; }
  int size() const { return size_; }

  /// A barrier of the team, then `work()` on one of its threads, then another barrier. `work` must not throw.
  template <class Work>
  void between_passes(Work&& work) const {
    between([](void* context) { (*static_cast<std::remove_reference_t<Work>*>(context))(); },
            const_cast<void*>(static_cast<const void*>(std::addressof(work))));
  }

 private:
  void between(void (*work)(void* context), void* context) const;

  int thread_;
  int size_;
};

namespace detail {
using TeamBody = void (*)(void* context, const Team& team);
void run_team(bool alone, TeamBody body, void* context);
}  // namespace detail

/// Number of chunks that parallel_chunks makes of `count` elements. No elements make no chunks, even at a grain of 0,
/// which callers that compute the grain from the sizes of an empty tensor pass.
constexpr std::int64_t chunk_count(std::int64_t count, std::int64_t grain) {
  return count > 0 ? (count - 1) / grain + 1 : 0;
}

/// Calls body(chunk, begin, end) for consecutive chunks of `grain` elements (the last may be shorter) of
/// [0, count), on several threads. The chunks depend on count and grain alone, never on the threads: a reduction
/// that keeps one partial result per chunk and adds them in order has the same bits for any number of threads.
/// An exception thrown by a body is rethrown when all chunks have ended.
template <class Body>
void parallel_chunks(std::int64_t count, std::int64_t grain, Body&& body) {
  using Function = std::remove_reference_t<Body>;
  detail::run_chunks(
      count, grain,
      [](void* context, std::int64_t chunk, std::int64_t begin, std::int64_t end) {
        (*static_cast<Function*>(context))(chunk, begin, end);
      },
      const_cast<void*>(static_cast<const void*>(std::addressof(body))));
}

/// parallel_chunks for bodies that do not need the chunk's number: body(begin, end).
template <class Body>
void parallel_for(std::int64_t count, std::int64_t grain, Body&& body) {
  parallel_chunks(count, grain, [&](std::int64_t, std::int64_t begin, std::int64_t end) { body(begin, end); });
}

/// Calls body(team) on every thread of one parallel region, or once on this thread when `alone`: for work in several
/// passes over the same data, where a region for each pass would cost more. After its last between_passes a body may
/// throw; the first exception is rethrown when all have ended.
template <class Body>
void parallel_team(bool alone, Body&& body) {
  detail::run_team(
      alone, [](void* context, const Team& team) { (*static_cast<std::remove_reference_t<Body>*>(context))(team); },
      const_cast<void*>(static_cast<const void*>(std::addressof(body))));
}

}  // namespace temper
