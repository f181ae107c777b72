#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <temper/train/print.hpp>

namespace temper {

namespace detail {

/// Shows the progress of a loop, its rate and the time left: a bar on a terminal, elsewhere a plain line every ten
/// seconds.
class ProgressBar {
 public:
  /// `done` iterations of the total were done before, by the run that is resumed.
  ProgressBar(std::string label, std::int64_t total, std::int64_t done = 0);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// Counts an iteration.
  void advance();

 private:
  using Clock = std::chrono::steady_clock;
  void show(Clock::time_point now);

  std::string label_;
  std::int64_t total_;
  std::int64_t done_;
  std::int64_t before_;
  Clock::time_point begin_;
  Clock::time_point next_;
};

/// How many batches of the epoch that loader.begin() has just entered were taken before: some, when the loader was
/// restored in the middle of it.
template <class Loader>
std::int64_t taken_before(const Loader& loader) {
  if constexpr (requires { loader.state().batch; }) {
    return std::max<std::int64_t>(0, loader.state().batch - 1);  // begin() has taken one itself
  } else {
    return 0;
  }
}

}  // namespace detail

/// The range that progress() returns: the batches of a loader, once, with a progress bar.
template <class Loader>
class Progress {
 public:
  Progress(Loader& loader, std::string label) : loader_(loader), label_(std::move(label)) {}

  auto begin() {
    auto first = loader_.begin();
    return Iterator(std::move(first), bar_.emplace(label_, loader_.batches(), detail::taken_before(loader_)));
  }
  auto end() { return loader_.end(); }

 private:
  using Inner = decltype(std::declval<Loader&>().begin());
  using End = decltype(std::declval<Loader&>().end());

  class Iterator {
   public:
    Iterator(Inner inner, detail::ProgressBar& bar) : inner_(std::move(inner)), bar_(bar) {}
    decltype(auto) operator*() { return *inner_; }
    Iterator& operator++() {
      ++inner_;
      bar_.advance();
      return *this;
    }
    bool operator!=(const End& end) const { return inner_ != end; }

   private:
    Inner inner_;
    detail::ProgressBar& bar_;
  };

  Loader& loader_;
  std::string label_;
  std::optional<detail::ProgressBar> bar_;
};

/// The batches of a loader, with a progress bar that shows the rate and the time left:
/// `for (const auto& [images, labels] : progress(train, "epoch {}", epoch))`.
template <class Loader, class... Args>
Progress<Loader> progress(Loader& loader, std::string_view label, const Args&... args) {
  return Progress<Loader>(loader, detail::format_erased(label, {detail::PrintArgument(args)...}));
}

}  // namespace temper
