#include <temper/train/stop.hpp>

#include <signal.h>

#include <array>
#include <atomic>

#include <temper/core/errors.hpp>

namespace temper {

namespace {

std::atomic<int> received = 0;
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may not lock");
std::atomic<bool> alive = false;

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
  for (Handled& one : handled) {
    ::sigaction(one.number, nullptr, &one.before);
    if (one.before.sa_handler == SIG_IGN) continue;
    struct sigaction action {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;  // reads and writes continue instead of failing with EINTR
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
