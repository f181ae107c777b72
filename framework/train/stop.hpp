#pragma once

namespace temper {

/// During its lifetime, the first signal that asks the program to end only sets a flag, so that a training loop can
/// finish its step and save: Ctrl-C (SIGINT), SIGTERM, SIGHUP (the terminal was closed) and SIGPIPE (nobody reads the
/// output any more; further output is lost). A second Ctrl-C, SIGTERM or SIGHUP kills the program as usual. Signals
/// that the program ignored before, as under nohup, stay ignored.
///
/// Handlers of a program's own need a stack of their own, too (sigaltstack and SA_ONSTACK): oneDNN's products for AVX2
/// use the stack pointer for other memory, which a handler would overwrite.
class StopSignal {
 public:
  /// Throws: ValueError when there is one already: signals belong to the whole program.
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  /// Whether a signal has come.
  bool requested() const { return signal() != 0; }
  /// Its number, or 0.
  int signal() const;
};

}  // namespace temper
