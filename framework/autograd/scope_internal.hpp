#pragma once

// Who records on a thread. Tapes, NoTapes and the runs of recomputed blocks that have begun and not ended form one
// chain per thread, the innermost first; nothing else says whether an operation is recorded or how layers behave.
//
//  - Scopes may end in any order: each is taken out of the chain wherever it stands, and the others stay as they are.
//  - The innermost scope alone counts. Its recorder records, or notes what a block uses; without one nothing is
//    recorded. No scope at all: nothing is recorded, and layers behave as in evaluation.
//  - A chain is touched by its own thread alone. A tape destroyed on another thread is marked as abandoned, and its own
//    thread drops it at the next look; a thread that ends lets go of the tapes left in its chain.

#include <memory>
#include <vector>

#include <temper/autograd/tape.hpp>

namespace temper::detail {

struct ThreadScopes {
  Scope* innermost = nullptr;
  Recorder* unused = nullptr;                                       // a list, of recorders of dead tapes
  bool closed = false;                                              // the thread is ending
  std::vector<std::weak_ptr<ParameterState>>* receivers = nullptr;  // to be listed, see receivers_internal.hpp
};
extern constinit thread_local ThreadScopes thread_scopes;

/// Drops the abandoned tapes that are innermost.
Scope* drop_abandoned();

/// The innermost scope of this thread; null when there is none.
inline Scope* innermost() {
  Scope* const scope = thread_scopes.innermost;
  return scope == nullptr || !scope->abandoned.load(std::memory_order_acquire) ? scope : drop_abandoned();
}
void enter(Scope& scope);
/// Takes a scope out of this thread's chain; the blocks that a tape runs end with it. False when it is not in the
/// chain.
bool leave(Scope& scope);
inline bool on_this_thread(const Scope& scope) { return scope.thread == &thread_scopes; }
/// Whether this thread is within a block that the tape runs.
bool within_block(const Recorder* recorder);

/// A recorder of a dead tape, with its memory, or a new one.
Recorder* take_recorder();
/// Ends a tape, on whatever thread, and keeps its recorder for the next one.
void end_tape(Recorder* recorder);

}  // namespace temper::detail
