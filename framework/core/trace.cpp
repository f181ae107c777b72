#include <temper/core/trace.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <map>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "framework/core/format_internal.hpp"
#include "framework/core/trace_internal.hpp"

namespace temper {

namespace {

/// Further events are counted in the table, but left out of the file, where a million take some 150 MB.
constexpr std::size_t max_events = 1'000'000;

using Nanoseconds = std::int64_t;

Nanoseconds now() {
  const auto time = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
}

constexpr std::array track_names = {"forward", "backward", "optimizer", "loader", "program", "help"};

const char* name_of(TraceTrack track) { return track_names[static_cast<std::size_t>(track)]; }

/// A time, and the number of floating-point operations counted until then; or differences of the two.
struct Point {
  Nanoseconds time = 0;
  std::int64_t flops = 0;
};
Point operator-(const Point& a, const Point& b) { return {a.time - b.time, a.flops - b.flops}; }
Point operator+(const Point& a, const Point& b) { return {a.time + b.time, a.flops + b.flops}; }

struct Event {
  TraceTrack track;
  std::string name, text;
  Nanoseconds begin;
  Point length;
};

struct OpenSpan {
  TraceTrack track;
  std::string name, text;
  Point begin;
  Point inner{};  // of the spans nested in it
};

struct Sum {
  std::int64_t calls = 0;
  Point own{};  // without nested spans
};
using Sums = std::map<std::pair<TraceTrack, std::string>, Sum>;

/// The events of one thread.
struct ThreadLog {
  int number = 0;
  std::mutex mutex;  // guards name, events and sums, which other threads read while this one runs
  std::string name;
  std::vector<Event> events;
  Sums sums;
  std::vector<OpenSpan> open;
  Point last;  // where the latest span ended
  detail::TraceCounter counter{0};
  detail::TraceCounter* counts_in = &counter;

  Point here() const { return {now(), counts_in->load(std::memory_order_relaxed)}; }
};

struct Trace {
  std::mutex mutex;                 // guards `threads`
  std::vector<ThreadLog*> threads;  // one for each thread that ever traced
  std::atomic<std::size_t> events{0};
  std::atomic<Nanoseconds> began{0}, ended{0};
};

/// Never destroyed, nor are the logs in it: threads may still trace while the process ends.
Trace& trace() {
  static auto* const instance = new Trace;
  return *instance;
}

ThreadLog& this_thread() {
  thread_local ThreadLog* const log = [] {
    auto* const fresh = new ThreadLog;
    const std::lock_guard lock(trace().mutex);
    trace().threads.push_back(fresh);
    fresh->number = static_cast<int>(trace().threads.size());
    fresh->name = fmt::format("thread {}", fresh->number);
    fresh->last = fresh->here();
    return fresh;
  }();
  return *log;
}

void add(ThreadLog& log, Event event, const Point& inner) {
  log.last = log.here();
  if (!log.open.empty()) log.open.back().inner = log.open.back().inner + event.length;
  if (event.begin < trace().began) return;
  try {
    const std::lock_guard lock(log.mutex);
    Sum& sum = log.sums[{event.track, event.name}];
    ++sum.calls;
    sum.own = sum.own + (event.length - inner);
    if (trace().events.fetch_add(1, std::memory_order_relaxed) < max_events) log.events.push_back(std::move(event));
  } catch (const std::bad_alloc&) {  // left out: spans end in destructors, which cannot throw
  }
}

std::vector<ThreadLog*> threads() {
  const std::lock_guard lock(trace().mutex);
  return trace().threads;
}

/// `text` as a JSON string, with its quotes.
std::string json_string(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      result += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      result += c;
    }
  }
  return result + '"';
}

double gflops(const Point& length) {
  return length.time > 0 ? static_cast<double>(length.flops) / static_cast<double>(length.time) : 0.0;
}

/// The trace that TEMPER_TRACE asks for, from the start of the process to its end.
class EnvironmentTrace {
 public:
  /// Never destroyed: it is used when the process ends.
  static EnvironmentTrace& instance() {
    static auto* const only = new EnvironmentTrace;
    return *only;
  }

  /// Empty, or why the file cannot be written.
  const std::string& error() const { return error_; }

 private:
  EnvironmentTrace() {
    const char* const path = std::getenv("TEMPER_TRACE");
    if (path == nullptr || *path == '\0') return;
    path_ = path;
    // A trace without spans stands there until the end, also of a process that is killed.
    if (!put("{\"traceEvents\":[]}\n")) error_ = fmt::format("TEMPER_TRACE: {}: {}", path_, std::strerror(errno));
    start_trace();
    if (!error_.empty()) return;
    std::atexit([] { instance().write(); });
    // An exception that nobody catches ends the process without what atexit registered.
    before_ = std::set_terminate([] {
      instance().write();
      instance().before_();
    });
  }

  bool put(std::string_view text) const {
    std::FILE* const file = std::fopen(path_.c_str(), "w");
    if (file == nullptr) return false;
    const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
    return std::fclose(file) == 0 && written;
  }
  void write() const {
    stop_trace();
    const bool written = put(trace_json());
    std::fputs(trace_table().c_str(), stderr);
    const char* const end = written ? "trace: {} opens in ui.perfetto.dev and in chrome://tracing\n"
                                    : "TEMPER_TRACE: {}: cannot be written\n";
    std::fputs(fmt::format(fmt::runtime(end), path_).c_str(), stderr);
  }

  std::string path_, error_;
  std::terminate_handler before_ = nullptr;
};

const EnvironmentTrace& environment_trace = EnvironmentTrace::instance();

}  // namespace

namespace detail {

constinit std::atomic<bool> trace_on{false};

void check_trace_file() {
  if (!environment_trace.error().empty()) throw FileError(environment_trace.error());
}

void trace_begin(TraceTrack track, std::string_view name) {
  if (track != TraceTrack::help) check_trace_file();  // no exception leaves a parallel region
  ThreadLog& log = this_thread();
  log.open.push_back({track, std::string(name), {}, log.here()});
}

void trace_end() {
  ThreadLog& log = this_thread();
  OpenSpan open = std::move(log.open.back());
  log.open.pop_back();
  Point length = log.here() - open.begin;
  if (open.track == TraceTrack::help) length.flops = 0;  // the thread that runs the operation counts them
  add(log, {open.track, std::move(open.name), std::move(open.text), open.begin.time, length}, open.inner);
}

void trace_describe(std::string text) { this_thread().open.back().text = std::move(text); }

void trace_mark() {
  ThreadLog& log = this_thread();
  log.last = log.here();
}

void trace_operation(const char* name, std::string shapes) {
  check_trace_file();
  ThreadLog& log = this_thread();
  const auto backward = [](const OpenSpan& open) { return open.track == TraceTrack::backward; };
  if (std::ranges::any_of(log.open, backward)) return;
  Point begin = log.last;
  begin.time = std::max(begin.time, trace().began.load());
  if (!log.open.empty() && log.open.back().begin.time > begin.time) begin = log.open.back().begin;
  add(log, {TraceTrack::forward, name, std::move(shapes), begin.time, log.here() - begin}, {});
}

void trace_flops(double count) {
  this_thread().counts_in->fetch_add(static_cast<std::int64_t>(count), std::memory_order_relaxed);
}

void trace_thread(std::string_view name) {
  ThreadLog& log = this_thread();
  const std::lock_guard lock(log.mutex);
  log.name = name;
}

TraceCounter& trace_counter() { return *this_thread().counts_in; }

TraceHelp::TraceHelp(TraceCounter& whose) : own_(std::exchange(this_thread().counts_in, &whose)) {
  trace_begin(TraceTrack::help, "part");
}

TraceHelp::~TraceHelp() {
  trace_end();
  this_thread().counts_in = own_;
  trace_mark();
}

}  // namespace detail

void start_trace() {
  for (ThreadLog* log : threads()) {
    const std::lock_guard lock(log->mutex);
    log->events.clear();
    log->sums.clear();
  }
  trace().events = 0;
  trace().began = now();
  trace().ended = 0;
  detail::trace_on = true;
}

void stop_trace() {
  detail::trace_on = false;
  trace().ended = now();
}

std::string trace_json() {
  std::string json =
      "{\"traceEvents\":[\n{\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\",\"args\":{\"name\":\"temper\"}}";
  const auto microseconds = [](Nanoseconds time) { return static_cast<double>(time) * 1e-3; };
  for (ThreadLog* log : threads()) {
    const std::lock_guard lock(log->mutex);
    std::array<bool, track_names.size()> named{};
    for (const Event& event : log->events) {
      const auto track = static_cast<std::size_t>(event.track);
      const std::size_t row = static_cast<std::size_t>(log->number) * track_names.size() + track;
      if (!std::exchange(named[track], true)) {
        json += fmt::format(
            ",\n{{\"ph\":\"M\",\"pid\":1,\"tid\":{0},\"name\":\"thread_name\",\"args\":{{\"name\":{1}}}}},\n"
            "{{\"ph\":\"M\",\"pid\":1,\"tid\":{0},\"name\":\"thread_sort_index\",\"args\":{{\"sort_index\":{0}}}}}",
            row, json_string(fmt::format("{}: {}", log->name, name_of(event.track))));
      }
      json +=
          fmt::format(",\n{{\"ph\":\"X\",\"pid\":1,\"tid\":{},\"ts\":{:.3f},\"dur\":{:.3f},\"name\":{},\"cat\":\"{}\"",
                      row, microseconds(event.begin - trace().began), microseconds(event.length.time),
                      json_string(event.name), name_of(event.track));
      json += ",\"args\":{";
      if (!event.text.empty()) json += fmt::format("\"shapes\":{}", json_string(event.text));
      if (event.length.flops > 0) {
        json += fmt::format("{}\"FLOP\":{},\"GFLOP/s\":{:.2f}", event.text.empty() ? "" : ",", event.length.flops,
                            gflops(event.length));
      }
      json += "}}";
    }
  }
  return json + "\n]}\n";
}

std::string trace_table() {
  Sums sums;
  for (ThreadLog* log : threads()) {
    const std::lock_guard lock(log->mutex);
    for (const auto& [key, sum] : log->sums) {
      Sum& all = sums[key];
      all.calls += sum.calls;
      all.own = all.own + sum.own;
    }
  }
  std::vector<std::pair<std::pair<TraceTrack, std::string>, Sum>> rows(sums.begin(), sums.end());
  std::ranges::sort(rows, [](const auto& a, const auto& b) {
    return std::pair(a.first.first, -a.second.own.time) < std::pair(b.first.first, -b.second.own.time);
  });
  const Nanoseconds ended = trace().ended != 0 ? trace().ended.load() : now();
  const auto milliseconds = [](Nanoseconds time) { return static_cast<double>(time) * 1e-6; };
  const double whole = std::max(1e-6, milliseconds(ended - trace().began));
  std::string table =
      fmt::format("{:<10} {:<28} {:>9} {:>12} {:>8} {:>9}\n", "track", "operation", "calls", "ms", "share", "GFLOP/s");
  for (const auto& [key, sum] : rows) {
    table += fmt::format("{:<10} {:<28} {:>9} {:>12.3f} {:>6.1f} % {:>9}\n", name_of(key.first), key.second, sum.calls,
                         milliseconds(sum.own.time), 100.0 * milliseconds(sum.own.time) / whole,
                         sum.own.flops > 0 ? fmt::format("{:.2f}", gflops(sum.own)) : "");
  }
  table += fmt::format("{:<10} {:<28} {:>9} {:>12.3f}\n", "", "from start to end", "", whole);
  if (const std::size_t events = trace().events; events > max_events) {
    table += fmt::format("of {} spans the first {} are drawn\n", events, max_events);
  }
  return table;
}

}  // namespace temper
