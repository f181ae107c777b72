#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string>

namespace temper::detail {

/// Writes as much of `pending` as possible and removes that from it, so that a later call writes nothing twice. Returns
/// 0 when all was written, else the errno of the write that failed.
inline int write_pending(int descriptor, std::string& pending) {
  std::size_t done = 0;
  int error = 0;
  while (done < pending.size() && error == 0) {
    const ssize_t count = ::write(descriptor, pending.data() + done, pending.size() - done);
    if (count >= 0) {
      done += static_cast<std::size_t>(count);
    } else if (errno != EINTR) {
      error = errno;
    }
  }
  pending.erase(0, done);
  return error;
}

}  // namespace temper::detail
