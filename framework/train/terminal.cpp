#include <unistd.h>

#include <cstdio>
#include <mutex>

#include "framework/train/terminal_internal.hpp"

namespace temper::terminal {

namespace {

struct State {
  std::mutex mutex;
  bool bar_shown = false;
};

State& state() {
  static State instance;
  return instance;
}

}  // namespace

bool interactive() {
  static const bool is_terminal = isatty(STDERR_FILENO) != 0;
  return is_terminal;
}

void draw_bar(std::string_view line) {
  const std::lock_guard lock(state().mutex);
  std::fputs("\r\x1b[2K", stderr);
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
  state().bar_shown = true;
}

void clear_bar() {
  const std::lock_guard lock(state().mutex);
  if (!state().bar_shown) return;
  std::fputs("\r\x1b[2K", stderr);
  std::fflush(stderr);
  state().bar_shown = false;
}

void write_line(std::string_view line) {
  const std::lock_guard lock(state().mutex);
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fputc('\n', stderr);
}

}  // namespace temper::terminal
