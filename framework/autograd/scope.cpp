#include <mutex>
#include <utility>

#include <temper/core/pool.hpp>

#include "framework/autograd/recorder_internal.hpp"
#include "framework/autograd/scope_internal.hpp"

namespace temper {

namespace detail {

constinit thread_local ThreadScopes thread_scopes;

namespace {

/// Held where the end of a thread and the end of one of its tapes elsewhere may meet.
std::mutex& abandoning() {
  static std::mutex mutex;
  return mutex;
}

/// Takes a scope of this thread out of the chain, and with a tape the blocks that it runs.
void take_out(Scope& scope) {
  for (Scope** link = &thread_scopes.innermost; *link != nullptr;) {
    Scope& here = **link;
    if (&here == &scope || (scope.kind == Scope::Kind::tape && here.recorder == scope.recorder)) {
      *link = here.outer;
      here.thread = nullptr;
    } else {
      link = &here.outer;
    }
  }
}

void keep(Recorder* recorder) {
  recorder->clear();
  if (thread_scopes.closed) {
    delete recorder;
  } else {
    recorder->next_unused = std::exchange(thread_scopes.unused, recorder);
  }
}

void free_unused() {
  while (thread_scopes.unused != nullptr) {
    delete std::exchange(thread_scopes.unused, thread_scopes.unused->next_unused);
  }
}

/// Lives as long as its thread.
struct ThreadEnd {
  ThreadEnd() { trim_with_pool(free_unused); }
  ~ThreadEnd() {
    thread_scopes.closed = true;
    {
      const std::lock_guard lock(abandoning());
      while (Scope* scope = thread_scopes.innermost) {
        take_out(*scope);
        if (scope->abandoned) keep(scope->recorder);
      }
    }
    free_unused();
  }
};

}  // namespace

Scope* drop_abandoned() {
  Scope* scope = thread_scopes.innermost;
  while (scope != nullptr && scope->abandoned.load(std::memory_order_acquire)) {
    take_out(*scope);
    keep(scope->recorder);
    scope = thread_scopes.innermost;
  }
  return scope;
}

void enter(Scope& scope) {
  scope.thread = &thread_scopes;
  scope.outer = std::exchange(thread_scopes.innermost, &scope);
}

bool leave(Scope& scope) {
  if (!on_this_thread(scope)) return false;
  take_out(scope);
  return true;
}

bool within_block(const Recorder* recorder) {
  for (const Scope* scope = innermost(); scope != nullptr; scope = scope->outer) {
    if (scope->recorder == recorder && scope->kind != Scope::Kind::tape) return true;
  }
  return false;
}

Recorder* take_recorder() {
  thread_local ThreadEnd end;
  if (thread_scopes.unused == nullptr) return new Recorder;
  return std::exchange(thread_scopes.unused, thread_scopes.unused->next_unused);
}

void end_tape(Recorder* recorder) {
  Scope& scope = recorder->scope();
  if (!leave(scope)) {
    const std::lock_guard lock(abandoning());
    if (scope.thread != nullptr) {
      scope.abandoned.store(true, std::memory_order_release);
      return;
    }
  }
  keep(recorder);
}

}  // namespace detail

NoTape::NoTape(Mode mode) : scope_{nullptr, mode, detail::Scope::Kind::pause} { detail::enter(scope_); }
NoTape::~NoTape() { detail::leave(scope_); }

bool training() {
  const detail::Scope* scope = detail::innermost();
  return scope != nullptr && scope->mode == Mode::train;
}

bool recording() {
  const detail::Scope* scope = detail::innermost();
  return scope != nullptr && scope->recorder != nullptr;
}

}  // namespace temper
