#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
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
  static const bool redraws = [] {
    const char* kind = std::getenv("TERM");
    return isatty(STDERR_FILENO) != 0 && kind != nullptr && std::string_view(kind) != "dumb" && *kind != '\0';
  }();
  return redraws;
}

int columns() {
  constexpr int fallback = 80;
  struct winsize size {};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : fallback;
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
