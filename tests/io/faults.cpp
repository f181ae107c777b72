// Functions of this program that replace the C library's calls which a save makes.

#include "tests/io/faults.hpp"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace {

bool watching = false;
temper_test::Fault planned;
int planned_at, planned_number, count;
std::vector<std::string> names;

/// Whether the call fails. Sets errno.
bool goes_wrong(const char* name) {
  if (!watching) return false;
  names.emplace_back(name);
  if (count++ != planned_at) return false;
  switch (planned) {
    case temper_test::Fault::killed: ::_exit(temper_test::killed_status);
    case temper_test::Fault::error: errno = planned_number; return true;
    case temper_test::Fault::interrupted: errno = EINTR; return true;
    default: return false;
  }
}

}  // namespace

namespace temper_test {

void watch_calls(Fault fault, int at, int number) {
  planned = fault;
  planned_at = at;
  planned_number = number;
  count = 0;
  names.clear();
  watching = true;
}

std::vector<std::string> watched_calls() {
  watching = false;
  return names;
}

}  // namespace temper_test

extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const int mode = flags & O_CREAT ? va_arg(arguments, int) : 0;
  va_end(arguments);
  if (goes_wrong(flags & O_DIRECTORY ? "open folder" : "open")) return -1;
  return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

int ftruncate(int descriptor, off_t length) noexcept {
  return goes_wrong("ftruncate") ? -1 : static_cast<int>(::syscall(SYS_ftruncate, descriptor, length));
}

ssize_t write(int descriptor, const void* bytes, size_t size) {
  const bool shortened = watching && planned == temper_test::Fault::shortened && count == planned_at && size > 1;
  if (goes_wrong("write")) return -1;
  return ::syscall(SYS_write, descriptor, bytes, shortened ? size / 2 : size);
}

int fsync(int descriptor) { return goes_wrong("fsync") ? -1 : static_cast<int>(::syscall(SYS_fsync, descriptor)); }

int rename(const char* from, const char* to) noexcept {
  return goes_wrong("rename") ? -1 : static_cast<int>(::syscall(SYS_rename, from, to));
}
}
