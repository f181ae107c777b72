// Injects faults. Loaded before the C library (LD_PRELOAD), it counts the calls with which a program opens, reads,
// writes and renames files below one folder, and lets one of them fail. Environment variables:
//   TEMPER_FAULT_FOLDER: absolute path of the folder
//   TEMPER_FAULT: EIO, ENOSPC, EDQUOT, EINTR, EMFILE, ENOLCK, short, kill (before the call), killed (after it) or none
//   TEMPER_FAULT_AT: number of the call that fails, from 0
//   TEMPER_FAULT_LOG: a file to which a line is added for every call

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string_view>

namespace {

enum class Outcome { normal, error, shortened, killed_after };

constexpr int most_files = 4096;
std::atomic<bool> watched[most_files];  // descriptors of files in the folder
std::atomic<long> count = 0;

const char* setting(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

bool in_folder(const char* path) {
  static const std::string_view folder = setting("TEMPER_FAULT_FOLDER");
  return path != nullptr && !folder.empty() && std::string_view(path).starts_with(folder);
}

bool in_folder(int file) { return file >= 0 && file < most_files && watched[file]; }

void log_call(const char* name, const char* path) {
  static const int file = static_cast<int>(
      syscall(SYS_openat, AT_FDCWD, setting("TEMPER_FAULT_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  char line[4096];
  const int length = snprintf(line, sizeof line, "%s %s\n", name, path);
  if (length > 0) (void)syscall(SYS_write, file, line, static_cast<size_t>(length));
}

void end_process() { syscall(SYS_kill, getpid(), SIGKILL); }

/// The fault, if any, of a call that concerns the folder. Sets errno if it is an error.
Outcome outcome_of(const char* name, const char* path = "") {
  static const std::string_view fault = setting("TEMPER_FAULT");
  static const long at = atol(setting("TEMPER_FAULT_AT"));
  const bool goes_wrong = count++ == at && fault != "none";
  if (goes_wrong && fault == "kill") end_process();
  log_call(name, path);
  if (!goes_wrong) return Outcome::normal;
  if (fault == "killed") return Outcome::killed_after;
  if (fault == "short") return Outcome::shortened;
  errno = fault == "EIO"      ? EIO
          : fault == "ENOSPC" ? ENOSPC
          : fault == "EDQUOT" ? EDQUOT
          : fault == "EINTR"  ? EINTR
          : fault == "ENOLCK" ? ENOLCK
                              : EMFILE;
  return Outcome::error;
}

template <class Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

/// Makes the call, or the fault in its place.
template <class Call>
auto guarded(Outcome outcome, Call call, decltype(call()) failed) {
  if (outcome == Outcome::error) return failed;
  const auto result = call();
  if (outcome == Outcome::killed_after) end_process();
  return result;
}

int opened(int file, const char* path) {
  if (file >= 0 && file < most_files) watched[file] = in_folder(path);
  return file;
}

template <class Open>
int guarded_open(const char* path, int flags, Open open) {
  if (!in_folder(path)) return opened(open(), path);
  return opened(guarded(outcome_of(flags & O_DIRECTORY ? "open-folder" : "open", path), open, -1), path);
}

/// Half of `size` if the fault is a short read or write.
size_t length_of(Outcome outcome, size_t bytes) {
  return outcome == Outcome::shortened && bytes > 1 ? bytes / 2 : bytes;
}

FILE* guarded_fopen(const char* name, const char* path, const char* mode) {
  const auto call = [&] { return real<FILE* (*)(const char*, const char*)>(name)(path, mode); };
  FILE* file = in_folder(path) ? guarded(outcome_of("fopen", path), call, nullptr) : call();
  if (file != nullptr) opened(fileno(file), path);
  return file;
}

}  // namespace

extern "C" {

#define TEMPER_OPEN(name)                                                                                             \
  int name(const char* path, int flags, ...) {                                                                        \
    va_list arguments;                                                                                                \
    va_start(arguments, flags);                                                                                       \
    const int mode = flags & O_CREAT ? va_arg(arguments, int) : 0;                                                    \
    va_end(arguments);                                                                                                \
    return guarded_open(path, flags, [&] { return real<int (*)(const char*, int, ...)>(#name)(path, flags, mode); }); \
  }
TEMPER_OPEN(open)
TEMPER_OPEN(open64)

// A path that is relative to a watched folder is in the folder.
#define TEMPER_OPENAT(name)                                                                                        \
  int name(int folder, const char* path, int flags, ...) {                                                         \
    va_list arguments;                                                                                             \
    va_start(arguments, flags);                                                                                    \
    const int mode = flags & O_CREAT ? va_arg(arguments, int) : 0;                                                 \
    va_end(arguments);                                                                                             \
    const auto call = [&] { return real<int (*)(int, const char*, int, ...)>(#name)(folder, path, flags, mode); }; \
    if (!in_folder(folder)) return guarded_open(path, flags, call);                                                \
    const int file = guarded(outcome_of("openat", path), call, -1);                                                \
    if (file >= 0 && file < most_files) watched[file] = true;                                                      \
    return file;                                                                                                   \
  }
TEMPER_OPENAT(openat)
TEMPER_OPENAT(openat64)

FILE* fopen(const char* path, const char* mode) { return guarded_fopen("fopen", path, mode); }
FILE* fopen64(const char* path, const char* mode) { return guarded_fopen("fopen64", path, mode); }

DIR* opendir(const char* path) {
  const auto call = [&] { return real<DIR* (*)(const char*)>("opendir")(path); };
  return in_folder(path) ? guarded(outcome_of("opendir", path), call, nullptr) : call();
}

ssize_t read(int file, void* bytes, size_t size) {
  const Outcome outcome = in_folder(file) ? outcome_of("read") : Outcome::normal;
  return guarded(
      outcome, [&] { return static_cast<ssize_t>(syscall(SYS_read, file, bytes, length_of(outcome, size))); },
      ssize_t{-1});
}

// With 64-bit offsets, open and open64 are the same function.
#define TEMPER_PREAD(name)                                                                             \
  ssize_t name(int file, void* bytes, size_t size, off_t place) {                                      \
    const Outcome outcome = in_folder(file) ? outcome_of("pread") : Outcome::normal;                   \
    const auto call = [&] {                                                                            \
      return static_cast<ssize_t>(syscall(SYS_pread64, file, bytes, length_of(outcome, size), place)); \
    };                                                                                                 \
    return guarded(outcome, call, ssize_t{-1});                                                        \
  }
TEMPER_PREAD(pread)
TEMPER_PREAD(pread64)

int fchmod(int file, mode_t mode) {
  const auto call = [&] { return static_cast<int>(syscall(SYS_fchmod, file, mode)); };
  return in_folder(file) ? guarded(outcome_of("fchmod"), call, -1) : call();
}

ssize_t write(int file, const void* bytes, size_t size) {
  const Outcome outcome = in_folder(file) ? outcome_of("write") : Outcome::normal;
  return guarded(
      outcome, [&] { return static_cast<ssize_t>(syscall(SYS_write, file, bytes, length_of(outcome, size))); },
      ssize_t{-1});
}

ssize_t writev(int file, const struct iovec* pieces, int pieces_count) {
  const Outcome outcome = in_folder(file) ? outcome_of("writev") : Outcome::normal;
  const int some = outcome == Outcome::shortened && pieces_count > 1 ? pieces_count - 1 : pieces_count;
  return guarded(
      outcome, [&] { return static_cast<ssize_t>(syscall(SYS_writev, file, pieces, some)); }, ssize_t{-1});
}

int fsync(int file) {
  const auto call = [&] { return static_cast<int>(syscall(SYS_fsync, file)); };
  return in_folder(file) ? guarded(outcome_of("fsync"), call, -1) : call();
}

int close(int file) {
  const bool ours = in_folder(file);
  if (ours) watched[file] = false;
  const auto call = [&] { return static_cast<int>(syscall(SYS_close, file)); };
  if (!ours) return call();
  const Outcome outcome = outcome_of("close");
  const int error = errno;
  const int result = call();  // Linux closes the descriptor even if close() reports an error
  if (outcome == Outcome::killed_after) end_process();
  if (outcome != Outcome::error) return result;
  errno = error;
  return -1;
}

int ftruncate(int file, off_t size) noexcept {
  const auto call = [&] { return static_cast<int>(syscall(SYS_ftruncate, file, size)); };
  return in_folder(file) ? guarded(outcome_of("ftruncate"), call, -1) : call();
}

// fcntl.h has a structure of this name, so that -Wshadow warns about the function.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
int flock(int file, int operation) noexcept {
  const auto call = [&] { return static_cast<int>(syscall(SYS_flock, file, operation)); };
  return in_folder(file) ? guarded(outcome_of("flock"), call, -1) : call();
}
#pragma GCC diagnostic pop

int rename(const char* from, const char* to) noexcept {
  const auto call = [&] { return real<int (*)(const char*, const char*)>("rename")(from, to); };
  return in_folder(to) ? guarded(outcome_of("rename", to), call, -1) : call();
}

int unlink(const char* path) noexcept {
  const auto call = [&] { return real<int (*)(const char*)>("unlink")(path); };
  return in_folder(path) ? guarded(outcome_of("unlink", path), call, -1) : call();
}

int unlinkat(int folder, const char* path, int flags) noexcept {
  const auto call = [&] { return real<int (*)(int, const char*, int)>("unlinkat")(folder, path, flags); };
  return in_folder(folder) || in_folder(path) ? guarded(outcome_of("unlinkat", path), call, -1) : call();
}

int remove(const char* path) noexcept {
  const auto call = [&] { return real<int (*)(const char*)>("remove")(path); };
  return in_folder(path) ? guarded(outcome_of("remove", path), call, -1) : call();
}

int mkdir(const char* path, mode_t mode) noexcept {
  const auto call = [&] { return real<int (*)(const char*, mode_t)>("mkdir")(path, mode); };
  return in_folder(path) ? guarded(outcome_of("mkdir", path), call, -1) : call();
}

}  // extern "C"
