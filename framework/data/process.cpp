#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "framework/core/format_internal.hpp"
#include "framework/data/process_internal.hpp"

extern char** environ;

namespace temper::detail {

ProcessOutput run_process(const std::vector<std::string>& command, std::uint64_t max_bytes) {
  std::array<int, 2> ends;
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail<FileError>("{}: no pipe: {}", command[0], std::strerror(errno));
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const int error = ::posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  ProcessOutput result;
  if (error != 0) {
    ::close(ends[0]);
    return result;
  }
  result.found = true;
  std::array<char, 1 << 16> part;
  bool too_much = false;
  for (;;) {
    const ssize_t count = ::read(ends[0], part.data(), part.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    if (result.out.size() + static_cast<std::size_t>(count) > max_bytes) {
      too_much = true;
      ::kill(child, SIGKILL);
      break;
    }
    result.out.append(part.data(), static_cast<std::size_t>(count));
  }
  ::close(ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (too_much) fail<FileError>("{}: printed more than {} bytes", command[0], max_bytes);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace temper::detail
