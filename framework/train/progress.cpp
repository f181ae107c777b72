#include <temper/train/progress.hpp>

#include <array>

#include "framework/core/format_internal.hpp"
#include "framework/train/terminal_internal.hpp"

namespace temper::detail {

namespace {

using namespace std::chrono_literals;

constexpr auto redraw = 100ms;    // on a terminal
constexpr auto line_every = 10s;  // elsewhere
constexpr int bar_width = 30;

}  // namespace

ProgressBar::ProgressBar(std::string label, std::int64_t total, std::int64_t done)
    : label_(std::move(label)), total_(total), done_(done), before_(done), begin_(Clock::now()) {
  next_ = begin_ + (terminal::interactive() ? Clock::duration(redraw) : Clock::duration(line_every));
}

ProgressBar::~ProgressBar() { terminal::clear_bar(); }

void ProgressBar::advance() {
  ++done_;
  const Clock::time_point now = Clock::now();
  if (now < next_) return;
  next_ = now + (terminal::interactive() ? Clock::duration(redraw) : Clock::duration(line_every));
  show(now);
}

// Formats into a buffer of its own: the training thread allocates nothing in steady state.
void ProgressBar::show(Clock::time_point now) {
  const double elapsed = std::chrono::duration<double>(now - begin_).count();
  const double rate = static_cast<double>(done_ - before_) / elapsed;
  const auto left = static_cast<std::int64_t>(static_cast<double>(total_ - done_) / rate + 0.5);
  std::array<char, bar_width> bar;
  const std::int64_t filled = total_ > 0 ? done_ * bar_width / total_ : bar_width;
  for (int i = 0; i < bar_width; ++i) bar[static_cast<std::size_t>(i)] = i < filled ? '=' : i == filled ? '>' : ' ';

  std::array<char, 256> line;
  fmt::format_to_n_result<char*> end{};
  if (terminal::interactive()) {
    end = fmt::format_to_n(line.data(), line.size(), "{} [{}] {}/{}  {:.1f}/s  {}:{:02} left", label_,
                           std::string_view(bar.data(), bar.size()), done_, total_, rate, left / 60, left % 60);
  } else {
    end = fmt::format_to_n(line.data(), line.size(), "{}: {}/{}, {:.1f}/s, {}:{:02} left", label_, done_, total_, rate,
                           left / 60, left % 60);
  }
  const std::string_view text(line.data(), std::min(end.size, line.size()));
  if (terminal::interactive()) {
    terminal::draw_bar(text);
  } else {
    terminal::write_line(text);
  }
}

}  // namespace temper::detail
