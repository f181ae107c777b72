#include <temper/train/stop.hpp>

#include <signal.h>

#include <array>
#include <atomic>
#include <cstddef>

#include <temper/core/errors.hpp>

namespace temper {

namespace {

std::atomic<int> received = 0;
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may not lock");
std::atomic<bool> alive = false;

/// The handler's stack. oneDNN's gemm for AVX2 lets the stack pointer point into a buffer on the heap while it
/// computes; a handler on the thread's own stack would then write over what lies below the buffer.
alignas(64) std::array<std::byte, std::size_t{64} << 10> handler_stack;

struct Handled {
  int number;
  struct sigaction before {};
  bool installed = false;  // our handler
};
std::array<Handled, 4> handled = {{{SIGINT}, {SIGTERM}, {SIGHUP}, {SIGPIPE}}};

void restore(Handled& one) {
  if (one.installed) ::sigaction(one.number, &one.before, nullptr);
  one.installed = false;
}

void on_signal(int number) {
  int none = 0;
  received.compare_exchange_strong(none, number);
  // Every further write to a closed pipe raises SIGPIPE again, which must not count as a second request to stop.
  if (number == SIGPIPE) return;
  for (Handled& one : handled) {
    if (one.number != SIGPIPE) restore(one);
  }
}

}  // namespace

StopSignal::StopSignal() {
  if (alive.exchange(true)) throw ValueError("StopSignal: there is one already; signals belong to the whole program");
  received = 0;
  stack_t stack{};
  ::sigaltstack(nullptr, &stack);
  if ((stack.ss_flags & SS_DISABLE) != 0) {  // else the thread has one, of a sanitizer or of the program
    stack = {.ss_sp = handler_stack.data(), .ss_flags = 0, .ss_size = handler_stack.size()};
    ::sigaltstack(&stack, nullptr);
  }
  for (Handled& one : handled) {
    ::sigaction(one.number, nullptr, &one.before);
    if (one.before.sa_handler == SIG_IGN) continue;
    struct sigaction action {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART | SA_ONSTACK;  // reads and writes continue instead of failing with EINTR
    one.installed = true;
    ::sigaction(one.number, &action, nullptr);
  }
}

StopSignal::~StopSignal() {
  for (Handled& one : handled) restore(one);
  alive = false;
}

int StopSignal::signal() const { return received; }

}  // namespace temper
