#include <temper/distributed/group.hpp>

#include <algorithm>
#include <cstring>
#include <exception>

#include "framework/core/format_internal.hpp"
#include "framework/distributed/mpi_internal.hpp"

namespace temper::distributed {

/// Goes before all bytes, so that processes that do different things notice it.
struct Group::Word {
  std::uint64_t bytes = 0;
  std::array<char, 40> what{};
  std::array<char, 80> activity{};
};

namespace {

template <std::size_t N>
std::array<char, N> cut(std::string_view text) {
  std::array<char, N> result{};
  std::memcpy(result.data(), text.data(), std::min(text.size(), N - 1));
  return result;
}

std::string seconds(std::chrono::seconds limit) { return fmt::format("{} s", limit.count()); }

}  // namespace

Group::Group(const GroupOptions& options) : Group(detail::mpi_transport(), options) {}

Group::Group(std::unique_ptr<Transport> transport, const GroupOptions& options)
    : transport_(std::move(transport)), options_(options), exceptions_(std::uncaught_exceptions()) {
  if (options.limit.count() < 1) {
    fail<ValueError>("Group: a limit of {}, expected at least 1 s", seconds(options.limit));
  }
  heard_.resize(static_cast<std::size_t>(size()), activity_);
}

Group::~Group() {
  if (std::uncaught_exceptions() > exceptions_) abandon("an exception");
}

int Group::rank() const { return transport_ ? transport_->rank() : 0; }
int Group::size() const { return transport_ ? transport_->size() : 1; }
int Group::neighbours() const { return transport_ ? transport_->neighbours() : 1; }
void Group::doing(std::string_view what) { activity_ = what; }

bool Group::abandon(const std::string& why) noexcept {
  return !transport_ || size() == 1 || transport_->abandon(why);
}

Group::Word Group::word(const char* what, std::size_t bytes) const {
  return {.bytes = bytes, .what = cut<40>(what), .activity = cut<80>(activity_)};
}

void Group::move(const char* what, int to, std::span<const std::byte> sent, int from, std::span<std::byte> received) {
  if (lost_) fail<LostError>("rank {}: a process of the group was lost before, in {}", rank(), activity_);
  const auto until = Transport::Clock::now() + options_.limit;
  bool done = false;
  try {
    done = transport_->exchange(to, sent, from, received, until);
  } catch (const LostError& error) {
    lost_ = true;
    fail<LostError>("rank {} in {} ({}): {}", rank(), activity_, what, error.what());
  }
  if (done) return;
  lost_ = true;
  const int other = from >= 0 ? from : to;
  fail<LostError>("rank {} waited {} for rank {} in {} ({}); rank {} was last heard of in {}", rank(),
                  seconds(options_.limit), other, activity_, what, other, heard_[static_cast<std::size_t>(other)]);
}

/// Exchanges what the two are about to do; returns how many bytes will come.
std::uint64_t Group::greet(const char* what, int to, std::size_t bytes, int from) {
  const Word mine = word(what, bytes);
  Word theirs;
  move(what, to, std::as_bytes(std::span(&mine, to >= 0 ? 1u : 0u)), from,
       std::as_writable_bytes(std::span(&theirs, from >= 0 ? 1u : 0u)));
  if (from < 0) return 0;
  std::string& heard = heard_[static_cast<std::size_t>(from)];
  heard = fmt::format("{} ({})", theirs.activity.data(), theirs.what.data());
  if (mine.what == theirs.what) return theirs.bytes;
  lost_ = true;
  fail<ValueError>("rank {} is in {} ({}), rank {} in {}; all processes must do the same", rank(), activity_, what, from,
                   heard);
}

/// The bytes, in pieces that every transport can move.
void Group::pass(const char* what, int to, std::span<const std::byte> sent, int from, std::span<std::byte> received) {
  constexpr std::size_t piece = std::size_t{1} << 28;
  const auto most = std::max(sent.size(), received.size());
  for (std::size_t at = 0; at < most; at += piece) {
    const auto part = [&](auto bytes) {
      const std::size_t begin = std::min(at, bytes.size());
      return bytes.subspan(begin, std::min(piece, bytes.size() - begin));
    };
    const auto out = part(sent);
    const auto in = part(received);
    move(what, out.empty() ? -1 : to, out, in.empty() ? -1 : from, in);
  }
}

void Group::exchange(const char* what, int to, std::span<const std::byte> sent, int from,
                     std::span<std::byte> received) {
  const std::uint64_t coming = greet(what, to, sent.size(), from);
  if (from >= 0 && coming != received.size()) {
    lost_ = true;
    fail<ValueError>("rank {} in {} ({}): {} bytes come from rank {}, expected {}", rank(), activity_, what, coming, from,
                     received.size());
  }
  pass(what, to, sent, from, received);
}

void Group::barrier() { gather(std::span<const std::byte>()); }

/// By a binomial tree: who has the bytes passes them on, in each round to a process twice as far.
void Group::broadcast(std::span<std::byte> bytes, int from) {
  const int count = size(), distance = (rank() - from + count) % count;
  int round = 1;
  while (round < count) round *= 2;
  for (int far = round / 2; far >= 1; far /= 2) {
    if (distance % (2 * far) == 0 && distance + far < count) {
      exchange("broadcast", (rank() + far) % count, bytes, -1, {});
    } else if (distance % (2 * far) == far) {
      exchange("broadcast", -1, {}, (rank() - far + count) % count, bytes);
    }
  }
}

std::string Group::broadcast(const std::string& text, int from) {
  std::string result = text;
  result.resize(broadcast(text.size(), from));
  broadcast(std::as_writable_bytes(std::span(result.data(), result.size())), from);
  return result;
}

std::vector<std::vector<std::byte>> Group::gather(std::span<const std::byte> bytes) {
  const int count = size();
  std::vector<std::vector<std::byte>> all(static_cast<std::size_t>(count));
  all[static_cast<std::size_t>(rank())].assign(bytes.begin(), bytes.end());
  for (int far = 1; far < count; ++far) {
    const int to = (rank() + far) % count, from = (rank() - far + count) % count;
    auto& theirs = all[static_cast<std::size_t>(from)];
    theirs.resize(greet("gather", to, bytes.size(), from));
    pass("gather", to, bytes, from, theirs);
  }
  return all;
}

void Group::sum(std::span<double> values) {
  if (size() == 1) return;
  const auto all = gather(std::as_bytes(values));
  for (const auto& bytes : all) {
    if (bytes.size() == values.size_bytes()) continue;
    fail<ValueError>("sum: {} bytes from one process, {} from another", values.size_bytes(), bytes.size());
  }
  std::ranges::fill(values, 0.0);
  for (const auto& bytes : all) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      double value = 0;
      std::memcpy(&value, bytes.data() + i * sizeof(double), sizeof(double));
      values[i] += value;
    }
  }
}

namespace {

/// Names and values, each ended by a byte of 0, which none contains.
std::string joined(const std::vector<Fact>& facts) {
  std::string text;
  for (const Fact& fact : facts) text += fact.name + '\0' + fact.value + '\0';
  return text;
}

std::vector<std::string_view> parts_of(std::string_view text) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = text.find('\0');
    parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end, text.size() - 1) + 1);
  }
  return parts;
}

}  // namespace

void Group::check_same(const std::vector<Fact>& facts) {
  if (size() == 1) return;
  const std::string mine = joined(facts);
  const auto all = gather(std::as_bytes(std::span(mine.data(), mine.size())));
  const auto text_of = [&](std::size_t rank) {
    return std::string_view(reinterpret_cast<const char*>(all[rank].data()), all[rank].size());
  };
  const auto first = parts_of(text_of(0));
  for (std::size_t other = 1; other < all.size(); ++other) {
    if (text_of(other) == text_of(0)) continue;
    const auto theirs = parts_of(text_of(other));
    std::size_t i = 0;
    while (i + 1 < first.size() && i + 1 < theirs.size() && first[i] == theirs[i] && first[i + 1] == theirs[i + 1]) {
      i += 2;
    }
    const auto shown = [&](const std::vector<std::string_view>& parts) {
      return i + 1 < parts.size() ? fmt::format("{} is {}", parts[i], parts[i + 1]) : std::string("there is no more");
    };
    fail<ValueError>("the processes do not train the same: on rank 0 {}, on rank {} {}", shown(first), other,
                     shown(theirs));
  }
}

}  // namespace temper::distributed
