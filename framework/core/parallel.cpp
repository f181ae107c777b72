#include <temper/core/parallel.hpp>

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <optional>

#include <temper/core/trace.hpp>

#include "framework/core/format_internal.hpp"

namespace temper {

namespace {

int initial_threads() { return std::max(1, std::min({omp_get_max_threads(), omp_get_thread_limit(), max_threads()})); }

std::atomic<int>& thread_count() {
  static std::atomic<int> count = initial_threads();
  return count;
}

thread_local int prepared_for = 0;  // the thread count last passed to OpenMP on this thread
thread_local bool serial = false;

/// Keeps the first exception of several threads: none may leave a parallel region.
class FirstError {
 public:
  template <class Work>
  void guard(Work work) noexcept {
    try {
      work();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
  }
  void rethrow() {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr error_;
};

/// Traces the share of each thread of a team but the first, whose share is traced as the operation itself.
class TracedShare {
 public:
  explicit TracedShare(detail::TraceCounter* counter) {
    if (counter != nullptr && omp_get_thread_num() > 0) help_.emplace(*counter);
  }

 private:
  std::optional<detail::TraceHelp> help_;
};

}  // namespace

// libgomp keeps a team's data on the stack of the thread that starts it: tens of thousands of threads overflow it.
int max_threads() { return std::max(256, 16 * omp_get_num_procs()); }

int threads() { return thread_count().load(std::memory_order_relaxed); }

void set_threads(int count) {
  if (count < 1 || count > max_threads()) {
    fail<ValueError>("set_threads: {} threads, expected 1 to {}", count, max_threads());
  }
  thread_count() = std::min(count, omp_get_thread_limit());
}

namespace detail {

void prepare_thread() {
  const int wanted = serial ? 1 : threads();
  if (prepared_for == wanted) return;
  omp_set_dynamic(0);
  if (omp_get_max_active_levels() < 1) omp_set_max_active_levels(1);
  omp_set_num_threads(wanted);
  prepared_for = wanted;
}

SerialScope::SerialScope() : outer_(serial) { serial = true; }
SerialScope::~SerialScope() { serial = outer_; }

void run_chunks(std::int64_t count, std::int64_t grain, Chunk chunk, void* context) {
  const std::int64_t chunks = chunk_count(count, grain);
  if (chunks <= 0) return;
  const int team = static_cast<int>(std::min<std::int64_t>(threads(), chunks));
  if (team == 1 || serial || omp_in_parallel()) {
    for (std::int64_t i = 0; i < chunks; ++i) chunk(context, i, i * grain, std::min(count, (i + 1) * grain));
    return;
  }
  prepare_thread();
  FirstError error;
  TraceCounter* const counter = tracing() ? &trace_counter() : nullptr;
  // Always the full team: libgomp ends its threads and starts new ones when the number changes.
#pragma omp parallel
  {
    const TracedShare traced(counter);
#pragma omp for schedule(static) nowait
    for (std::int64_t i = 0; i < chunks; ++i) {
      error.guard([&] { chunk(context, i, i * grain, std::min(count, (i + 1) * grain)); });
    }
  }
  error.rethrow();
}

void run_team(bool alone, TeamBody body, void* context) {
  if (alone || serial || omp_in_parallel()) {
    body(context, Team(0, 1));
    return;
  }
  prepare_thread();
  FirstError error;
  TraceCounter* const counter = tracing() ? &trace_counter() : nullptr;
#pragma omp parallel
  {
    const TracedShare traced(counter);
    error.guard([&] { body(context, Team(omp_get_thread_num(), omp_get_num_threads())); });
  }
  error.rethrow();
}

}  // namespace detail

void Team::between(void (*work)(void* context), void* context) const {
  if (size_ == 1) {
    work(context);
    return;
  }
#pragma omp barrier
#pragma omp single
  work(context);
}

}  // namespace temper
