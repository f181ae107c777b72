#include <temper/train/progress.hpp>

#include <algorithm>
#include <array>

#include "framework/core/format_internal.hpp"
#include "framework/train/progress_internal.hpp"
#include "framework/train/terminal_internal.hpp"

namespace temper::detail {

namespace {

using namespace std::chrono_literals;

constexpr auto redraw_interval = 100ms;  // on a terminal
constexpr auto line_interval = 10s;      // elsewhere
constexpr std::size_t bar_width = 30;    // where the line has room for it

}  // namespace

ProgressBar::ProgressBar(std::string label, std::int64_t total, std::int64_t done)
    : label_(std::move(label)), total_(total), done_(done), before_(done), begin_(Clock::now()) {
  next_ = begin_ + (terminal::interactive() ? Clock::duration(redraw_interval) : Clock::duration(line_interval));
}

ProgressBar::~ProgressBar() { terminal::clear_bar(); }

void ProgressBar::advance() {
  ++done_;
  const Clock::time_point now = Clock::now();
  if (now < next_) return;
  next_ = now + (terminal::interactive() ? Clock::duration(redraw_interval) : Clock::duration(line_interval));
  show(now);
}

std::string_view progress_line(std::span<char> line, const ProgressFigures& now, int columns) {
  const auto print = [&]<class... Args>(std::size_t at, fmt::format_string<Args...> text, Args&&... args) {
    const auto room = line.subspan(std::min(at, line.size()));
    const auto end = fmt::format_to_n(room.data(), room.size(), text, std::forward<Args>(args)...);
    return at + std::min(end.size, room.size());
  };
  const std::int64_t total = std::max<std::int64_t>(now.total, 1), left = now.seconds_left;
  std::array<char, 96> figures_text;
  const auto figures_end = fmt::format_to_n(figures_text.data(), figures_text.size(), "{}/{}  {:.1f}/s  {}:{:02} left",
                                            now.done, now.total, now.rate, left / 60, left % 60);
  const std::string_view figures(figures_text.data(), std::min(figures_end.size, figures_text.size()));
  if (columns <= 0) {
    return {line.data(), print(0, "{}: {}/{}, {:.1f}/s, {}:{:02} left", now.label, now.done, now.total, now.rate,
                               left / 60, left % 60)};
  }
  // One column less than the terminal has: some terminals wrap a line of full width.
  const auto width = static_cast<std::size_t>(columns - 1);
  const std::size_t others = now.label.size() + figures.size() + 4;
  const std::size_t bar = others < width ? std::min<std::size_t>(bar_width, width - others) : 0;
  std::size_t end = print(0, "{} ", now.label);
  if (bar >= 5) {
    const auto filled = static_cast<std::int64_t>(bar) * std::min(now.done, total) / total;
    end = print(end, "[{:=<{}}{:<{}}] ", "", filled, filled < static_cast<std::int64_t>(bar) ? ">" : "",
                static_cast<std::int64_t>(bar) - filled);
  }
  end = print(end, "{}", figures);
  return {line.data(), std::min(end, width)};
}

// Formats into an array on the stack, because the training thread allocates nothing in steady state.
void ProgressBar::show(Clock::time_point now) {
  const double elapsed = std::chrono::duration<double>(now - begin_).count();
  const double rate = static_cast<double>(done_ - before_) / elapsed;
  const auto left = static_cast<std::int64_t>(static_cast<double>(total_ - done_) / rate + 0.5);
  std::array<char, 256> line;
  const bool redrawn = terminal::interactive();
  const std::string_view text =
      progress_line(line, {.label = label_, .done = done_, .total = total_, .rate = rate, .seconds_left = left},
                    redrawn ? terminal::columns() : 0);
  if (redrawn) {
    terminal::draw_bar(text);
  } else {
    terminal::write_line(text);
  }
}

}  // namespace temper::detail
