#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include <temper/core/errors.hpp>

namespace temper::distributed {

/// A process of the group that does not answer in time, or has ended. The group cannot be used any more.
class LostError : public Error {
 public:
  using Error::Error;
};

/// What moves bytes between the processes of a group. Everything that they do together is made of its one operation, so a
/// transport of your own is one class.
class Transport {
 public:
  using Clock = std::chrono::steady_clock;  ///< what time limits are measured by

  virtual ~Transport() = default;

  /// The number of this process, from 0.
  virtual int rank() const = 0;
  /// The number of processes.
  virtual int size() const = 0;

  /// Sends to the process `to` and receives from the process `from`, at once, so that two processes may exchange. A rank
  /// of -1 leaves out that half. Returns when both are done. What one process sends to another arrives in order; the
  /// receiver knows its length. False when the time is up, after which the transport is not used any more.
  /// Throws: LostError when the other process is known to have ended.
  virtual bool exchange(int to, std::span<const std::byte> sent, int from, std::span<std::byte> received,
                        Clock::time_point until) = 0;

  /// Sees to it that the others do not wait for this process, which cannot go on: that they learn of it at once, or are
  /// ended when it ends. Returns whether the process of rank 0 has given up, too.
  virtual bool abandon(const std::string& why) noexcept = 0;

  /// How many of the processes are on this machine, this one included.
  virtual int neighbours() const = 0;
};

}  // namespace temper::distributed
