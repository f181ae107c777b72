#include <temper/distributed/threads.hpp>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "framework/core/format_internal.hpp"

namespace temper::distributed {

namespace {

/// What the threads share: the messages under way, and who has ended.
struct Hub {
  explicit Hub(int processes)
      : size(processes),
        messages(static_cast<std::size_t>(processes) * static_cast<std::size_t>(processes)),
        ended(static_cast<std::size_t>(processes)) {}

  auto& between(int from, int to) {
    return messages[static_cast<std::size_t>(from) * static_cast<std::size_t>(size) + static_cast<std::size_t>(to)];
  }

  int size;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::deque<std::vector<std::byte>>> messages;
  std::vector<std::string> ended;  // by rank: why; empty while it works
};

class ThreadTransport : public Transport {
 public:
  ThreadTransport(Hub& hub, int rank) : hub_(hub), rank_(rank) {}

  int rank() const override { return rank_; }
  int size() const override { return hub_.size; }
  int neighbours() const override { return hub_.size; }

  bool exchange(int to, std::span<const std::byte> sent, int from, std::span<std::byte> received,
                Clock::time_point until) override {
    std::unique_lock lock(hub_.mutex);
    if (to >= 0) {
      hub_.between(rank_, to).emplace_back(sent.begin(), sent.end());
      hub_.changed.notify_all();
    }
    if (from < 0) return true;
    auto& incoming = hub_.between(from, rank_);
    const std::string& ended = hub_.ended[static_cast<std::size_t>(from)];
    if (!hub_.changed.wait_until(lock, until, [&] { return !incoming.empty() || !ended.empty(); })) return false;
    if (incoming.empty()) fail<LostError>("rank {} has ended: {}", from, ended);
    const std::vector<std::byte> message = std::move(incoming.front());
    incoming.pop_front();
    if (message.size() != received.size()) {
      fail<LostError>("{} bytes came from rank {}, expected {}", message.size(), from, received.size());
    }
    std::ranges::copy(message, received.begin());
    return true;
  }

  bool abandon(const std::string& why) noexcept override {
    const std::lock_guard lock(hub_.mutex);
    hub_.ended[static_cast<std::size_t>(rank_)] = why;
    hub_.changed.notify_all();
    return !hub_.ended[0].empty();
  }

 private:
  Hub& hub_;
  int rank_;
};

}  // namespace

void run_threads(int processes, const std::function<void(Group&)>& body, const GroupOptions& options) {
  if (processes < 1) fail<ValueError>("run_threads: {} processes, expected at least 1", processes);
  Hub hub(processes);
  std::exception_ptr first, lost;  // a LostError is what an exception elsewhere leads to, and may be caught before it
  std::vector<std::jthread> threads;
  for (int rank = 0; rank < processes; ++rank) {
    threads.emplace_back([&, rank] {
      ThreadTransport end(hub, rank);
      const auto ends = [&](std::exception_ptr& kept) {
        {
          const std::lock_guard lock(hub.mutex);
          if (!kept) kept = std::current_exception();
        }
        end.abandon("an exception");
      };
      try {
        Group group(std::make_unique<ThreadTransport>(hub, rank), options);
        body(group);
        end.abandon("its work is done");
      } catch (const LostError&) {
        ends(lost);
      } catch (...) {
        ends(first);
      }
    });
  }
  threads.clear();  // joins them
  if (first || lost) std::rethrow_exception(first ? first : lost);
}

}  // namespace temper::distributed
