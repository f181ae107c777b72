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

struct Watched {
  int number;
  struct sigaction before {};
  bool ours = false;
};
std::array<Watched, 4> watched = {{{SIGINT}, {SIGTERM}, {SIGHUP}, {SIGPIPE}}};

void give_back(Watched& one) {
  if (one.ours) ::sigaction(one.number, &one.before, nullptr);
  one.ours = false;
}

void on_signal(int number) {
  int none = 0;
  received.compare_exchange_strong(none, number);
  // Every further write to a closed pipe raises SIGPIPE again; nobody means it as a second request.
  if (number == SIGPIPE) return;
  for (Watched& one : watched) {
    if (one.number != SIGPIPE) give_back(one);
  }
}

}  // namespace

StopSignal::StopSignal() {
  if (alive.exchange(true)) throw ValueError("StopSignal: there is one already; signals belong to the whole program");
  received = 0;
  for (Watched& one : watched) {
    ::sigaction(one.number, nullptr, &one.before);
    if (one.before.sa_handler == SIG_IGN) continue;
    struct sigaction action {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;  // no read or write fails because of it
    one.ours = true;
    ::sigaction(one.number, &action, nullptr);
  }
}

StopSignal::~StopSignal() {
  for (Watched& one : watched) give_back(one);
  alive = false;
}

int StopSignal::signal() const { return received; }

}  // namespace temper
