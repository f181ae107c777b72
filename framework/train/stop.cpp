#include <temper/train/stop.hpp>

#include <signal.h>

#include <atomic>

namespace temper {

namespace {

std::atomic<int> received = 0;
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may not lock");

struct sigaction before_int, before_term;

void restore_handlers() {
  ::sigaction(SIGINT, &before_int, nullptr);
  ::sigaction(SIGTERM, &before_term, nullptr);
}

void on_signal(int number) {
  received = number;
  restore_handlers();
}

}  // namespace

StopSignal::StopSignal() {
  received = 0;
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;  // no read or write fails because of it
  ::sigaction(SIGINT, &action, &before_int);
  ::sigaction(SIGTERM, &action, &before_term);
}

StopSignal::~StopSignal() { restore_handlers(); }

int StopSignal::signal() const { return received; }

}  // namespace temper
