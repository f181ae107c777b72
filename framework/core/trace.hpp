#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace temper {

/// What a stretch of work belongs to: the track it is drawn on.
enum class TraceTrack : std::uint8_t {
  forward,    ///< operations
  backward,   ///< their gradients
  optimizer,  ///< steps
  loader,     ///< waiting for a batch, and collating one
  program,    ///< what a program marks itself
  help,       ///< parts of an operation that another thread does
};

namespace detail {

/// Whether a trace is being taken. Every operation looks at it, and does nothing else while it is off.
extern constinit std::atomic<bool> trace_on;
inline bool tracing() { return trace_on.load(std::memory_order_relaxed); }

// All of these are for when a trace is being taken, on the calling thread.

void trace_begin(TraceTrack track, std::string_view name);
void trace_end();
/// Shown beside the name of the stretch that began last.
void trace_describe(std::string text);
/// The next operation begins now at the earliest.
void trace_mark();
/// An operation that ends now and began where the stretch before it ended. Within the backward it is part of that.
void trace_operation(const char* name, std::string shapes);
/// Floating-point operations of what this thread is at.
void trace_flops(double count);
/// What the thread is called.
void trace_thread(std::string_view name);

/// Where a thread counts its floating-point operations. Those that help it count there as well.
using TraceCounter = std::atomic<std::int64_t>;
TraceCounter& trace_counter();

/// While one lives, the calling thread does part of another's work.
class TraceHelp {
 public:
  /// `whose` is the other one's trace_counter().
  explicit TraceHelp(TraceCounter& whose);
  ~TraceHelp();
  TraceHelp(const TraceHelp&) = delete;
  TraceHelp& operator=(const TraceHelp&) = delete;

 private:
  TraceCounter* own_;
};

}  // namespace detail

/// A stretch of the calling thread's work, from here to the end of the scope, in the trace that the environment
/// variable TEMPER_TRACE=FILE asks for. While there is none, it is a look at a flag.
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

/// Starts a trace, as TEMPER_TRACE does when a program starts; forgets what was traced before. Not within a TraceScope.
void start_trace();
void stop_trace();

/// What was traced, as the JSON that Perfetto (ui.perfetto.dev) and Chromium (chrome://tracing) open.
/// Source: "Trace Event Format", Google.
std::string trace_json();

/// What was traced as a table: calls, milliseconds, share of the time since start_trace and GFLOP/s of each operation.
/// Time within another stretch counts for the inner one alone.
std::string trace_table();

}  // namespace temper
