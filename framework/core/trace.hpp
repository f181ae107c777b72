#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace temper {

/// The track that a span of work is drawn on.
enum class TraceTrack : std::uint8_t {
  forward,    ///< operations
  backward,   ///< their gradients
  optimizer,  ///< steps
  loader,     ///< waiting for a batch, and collating one
  program,    ///< what a program marks itself
  help,       ///< the shares of an operation that other threads of its parallel regions do
};

namespace detail {

/// Whether a trace is being taken. While it is off, testing it is all that tracing costs an operation.
extern constinit std::atomic<bool> trace_on;
inline bool tracing() { return trace_on.load(std::memory_order_relaxed); }

// These act on the calling thread, and are called only while a trace is being taken.

void trace_begin(TraceTrack track, std::string_view name);
void trace_end();
/// A text shown beside the name of the span that began last, such as shapes.
void trace_describe(std::string text);
/// The next operation begins now at the earliest.
void trace_mark();
/// An operation that ends now and began where the span before it ended. During a backward its time counts for that.
void trace_operation(const char* name, std::string shapes);
/// Adds to the floating-point operations of the current span.
void trace_flops(double count);
/// Names the thread.
void trace_thread(std::string_view name);

/// Where a thread counts its floating-point operations. The other threads of its parallel regions count there as well.
using TraceCounter = std::atomic<std::int64_t>;
TraceCounter& trace_counter();

/// Marks the calling thread's share of an operation that another thread runs, from here to the end of the scope.
class TraceHelp {
 public:
  /// `whose` is the trace_counter() of the thread that runs the operation.
  explicit TraceHelp(TraceCounter& whose);
  ~TraceHelp();
  TraceHelp(const TraceHelp&) = delete;
  TraceHelp& operator=(const TraceHelp&) = delete;

 private:
  TraceCounter* own_;
};

}  // namespace detail

/// A span of the calling thread's work, from here to the end of the scope, in the trace that the environment variable
/// TEMPER_TRACE=FILE starts. Off, it costs the test of a flag. Throws: FileError for a FILE that cannot be written.
class TraceScope {
 public:
  explicit TraceScope(std::string_view name, TraceTrack track = TraceTrack::program) : on_(detail::tracing()) {
    if (on_) detail::trace_begin(track, name);
  }
  ~TraceScope() {
    if (on_) detail::trace_end();
  }
  TraceScope(const TraceScope&) = delete;
  TraceScope& operator=(const TraceScope&) = delete;

  bool on() const { return on_; }

 private:
  bool on_;
};

/// Starts a trace, as TEMPER_TRACE does at the program's start, and discards the one before. Not within a TraceScope.
void start_trace();
void stop_trace();

/// The trace as JSON that Perfetto (ui.perfetto.dev) and Chromium (chrome://tracing) open.
/// Source: "Trace Event Format", Google.
std::string trace_json();

/// The trace as a table: calls, milliseconds, share of the time since start_trace and GFLOP/s of each operation.
/// The time of a nested span counts for that span alone.
std::string trace_table();

}  // namespace temper
