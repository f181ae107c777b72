#pragma once

namespace temper {

/// While one lives, the first Ctrl-C (SIGINT) or SIGTERM only sets a flag, so that a loop can end in good order. The
/// second one kills the program as usual. One at a time.
class StopSignal {
 public:
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
