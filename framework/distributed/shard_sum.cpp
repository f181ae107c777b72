#include <algorithm>
#include <array>
#include <cstring>

#include <temper/core/parallel.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/distributed/shard_sum_internal.hpp"

namespace temper::distributed::detail {

namespace {

constexpr std::int64_t grain = std::int64_t{1} << 15;   // elements of a parallel chunk
constexpr std::int64_t bucket = std::int64_t{1} << 20;  // elements that are summed at once: 4 MiB

void add(float* into, const float* from, std::int64_t count) {
  parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) into[i] += from[i];
  });
}

}  // namespace

ShardSum::ShardSum(Group& group, std::vector<Parameter> parameters, const std::vector<nn::Buffer>& buffers, int shards)
    : group_(group), parameters_(std::move(parameters)) {
  if (shards < 1 || shards % group.size() != 0) {
    fail<ValueError>("{} processes cannot share {} shards; the number of processes must divide that of the shards",
                     group.size(), shards);
  }
  plan_ = plan_tree(shards, group.size());
  for (const nn::Buffer& buffer : buffers) {
    if (buffer.tensor.dtype() != Dtype::f32) continue;
    buffers_.push_back(buffer);
    before_.push_back(buffer.tensor.clone());
  }
  has_.resize(static_cast<std::size_t>(shards));
}

void ShardSum::begin() {
  nodes_.clear();
  added_ = 0;
  for (std::size_t i = 0; i < buffers_.size(); ++i) before_[i].copy_from(buffers_[i].tensor);
}

void ShardSum::add() {
  const int shard = first() + added_;
  if (added_ == count()) fail<ValueError>("ShardSum: process {} has {} shards, this is one more", group_.rank(), count());
  Node node;
  std::vector<char>& has = has_[static_cast<std::size_t>(shard)];
  has.clear();
  for (Parameter& parameter : parameters_) {
    const bool sparse = parameter.sparse();
    node.dense.push_back(sparse ? Tensor() : parameter.gradient());
    node.rows.push_back(sparse ? parameter.row_gradient() : RowGradient());
    has.push_back(node.dense.back().defined() ? 1 : 0);
    parameter.discard_gradient();
  }
  for (std::size_t i = 0; i < buffers_.size(); ++i) {
    Tensor& buffer = buffers_[i].tensor;
    Tensor change = buffer.clone();
    const float* was = before_[i].data<float>();
    float* now = change.mutable_data<float>();
    for (std::int64_t k = 0; k < change.numel(); ++k) now[k] -= was[k];
    buffer.copy_from(before_[i]);
    node.dense.push_back(std::move(change));
    has.push_back(1);
  }
  nodes_.emplace(shard, std::move(node));
  ++added_;
  merge(shard);
}

/// Makes the sums that are complete with this shard and need no other process, so that few nodes wait at any time.
void ShardSum::merge(int shard) {
  for (int width = 1; width < plan_.shards; width *= 2) {
    const int left = shard / (2 * width) * (2 * width), right = left + width;
    if (std::min(left + 2 * width, plan_.shards) != shard + 1 || left < first()) return;
    if (right > shard) continue;
    add_to(nodes_.at(left), nodes_.at(right));
    nodes_.erase(right);
  }
}

void ShardSum::add_to(Node& into, Node& from) {
  for (std::size_t i = 0; i < into.dense.size(); ++i) {
    if (!from.dense[i].defined()) continue;
    if (into.dense[i].defined()) {
      detail::add(into.dense[i].mutable_data<float>(), from.dense[i].data<float>(), from.dense[i].numel());
    } else {
      into.dense[i] = std::move(from.dense[i]);
    }
  }
  for (std::size_t i = 0; i < into.rows.size(); ++i) into.rows[i] = add_rows(into.rows[i], from.rows[i]);
}

void ShardSum::drop() {
  nodes_.clear();
  added_ = 0;
  for (std::size_t i = 0; i < buffers_.size(); ++i) buffers_[i].tensor.copy_from(before_[i]);
}

void ShardSum::finish() {
  if (added_ != count()) fail<ValueError>("ShardSum: process {} added {} of its {} shards", group_.rank(), added_, count());
  if (group_.size() > 1) {
    share_presence();
    sum_dense();
    sum_rows();
  }
  put_back();
  nodes_.clear();
  added_ = 0;
}

/// Which shard has a gradient of which item. One without is left out of the sum, as 0 + -0 is not -0.
void ShardSum::share_presence() {
  const std::size_t items = parameters_.size() + buffers_.size();
  std::vector<char> mine;
  for (int i = 0; i < count(); ++i) {
    const auto& has = has_[static_cast<std::size_t>(first() + i)];
    mine.insert(mine.end(), has.begin(), has.end());
  }
  const auto all = group_.gather(std::as_bytes(std::span(mine)));
  std::size_t shard = 0;
  for (const auto& theirs : all) {
    if (theirs.size() != mine.size()) fail<ValueError>("the processes have different numbers of parameters");
    for (int i = 0; i < count(); ++i, ++shard) {
      const auto* begin = reinterpret_cast<const char*>(theirs.data()) + static_cast<std::size_t>(i) * items;
      has_[shard].assign(begin, begin + items);
    }
  }
  start_.assign(items + 1, 0);
  for (std::size_t item = 0; item < items; ++item) {
    const Shape& shape =
        item < parameters_.size() ? parameters_[item].shape() : buffers_[item - parameters_.size()].tensor.shape();
    const bool any = present(0, plan_.shards, item);
    if (any) {
      for (auto& [first_shard, node] : nodes_) {
        if (!node.dense[item].defined()) node.dense[item] = zeros(shape);
      }
    }
    start_[item + 1] = start_[item] + (any ? shape.numel() : 0);
  }
}

bool ShardSum::present(int node, int width, std::size_t item) const {
  for (int shard = node; shard < std::min(node + width, plan_.shards); ++shard) {
    if (has_[static_cast<std::size_t>(shard)][item] != 0) return true;
  }
  return false;
}

/// Part of an item.
struct ShardSum::Segment {
  std::size_t item;
  std::int64_t offset, count;

  const float* in(const Node& node) const { return node.dense[item].data<float>() + offset; }
  void append_to(std::vector<float>& room, const Node& node) const { room.insert(room.end(), in(node), in(node) + count); }
};

/// Calls visit(segment) for the parts of items in a range of all elements.
template <class Visit>
void ShardSum::each_segment(std::int64_t begin, std::int64_t end, Visit&& visit) const {
  auto item = static_cast<std::size_t>(std::ranges::upper_bound(start_, begin) - start_.begin()) - 1;
  for (std::int64_t at = begin; at < end; ++item) {
    const std::int64_t stop = std::min(end, start_[item + 1]);
    if (stop > at) visit(Segment{item, at - start_[item], stop - at});
    at = std::max(at, stop);
  }
}

void ShardSum::sum_dense() {
  const std::int64_t total = start_.back();
  for (std::int64_t begin = 0; begin < total; begin += bucket) {
    const std::int64_t end = std::min(begin + bucket, total);
    for (const Level& level : plan_.levels) run_level(level, begin, end);
    spread(begin, end);
  }
}

namespace {

/// A slice of a range that is cut into `slices`.
std::pair<std::int64_t, std::int64_t> slice_of(std::int64_t begin, std::int64_t end, int slice, int slices) {
  const std::int64_t count = end - begin;
  return {begin + count * slice / slices, begin + count * (slice + 1) / slices};
}

}  // namespace

/// Adds a part of an item to a node, or puts it there where the node has no gradient of it.
void ShardSum::combine(const Level& level, const Merge& merge, const Segment& part, const float* from) {
  const int from_node = merge.to_right ? level.left : level.right, into_node = merge.to_right ? level.right : level.left;
  if (!present(from_node, level.width, part.item)) return;
  float* into = nodes_.at(merge.into).dense[part.item].mutable_data<float>() + part.offset;
  if (present(into_node, level.width, part.item)) {
    detail::add(into, from, part.count);
  } else {
    std::memcpy(into, from, static_cast<std::size_t>(part.count) * sizeof(float));
  }
}

/// Adds one node to another. Two processes exchange what each of them does not add itself; the pairs of processes take
/// their turns in an order that all follow, so that none waits for another in a circle.
void ShardSum::run_level(const Level& level, std::int64_t begin, std::int64_t end) {
  const int me = group_.rank();
  std::vector<std::pair<int, int>> pairs;
  for (const Merge& merge : level.merges) {
    if (merge.from_rank != merge.into_rank) pairs.emplace_back(std::minmax(merge.from_rank, merge.into_rank));
  }
  std::ranges::sort(pairs);
  pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());

  const auto parts = [&](const Merge& merge, auto&& visit) {
    const auto [first, last] = slice_of(begin, end, merge.slice, plan_.processes);
    each_segment(first, last, visit);
  };
  for (const Merge& merge : level.merges) {
    if (merge.into_rank != me || merge.from_rank != me) continue;
    parts(merge, [&](const Segment& part) { combine(level, merge, part, part.in(nodes_.at(merge.from))); });
  }
  for (const auto& [low, high] : pairs) {
    if (low != me && high != me) continue;
    const int other = low == me ? high : low;
    sent_.clear();
    std::size_t coming = 0;
    for (const Merge& merge : level.merges) {
      if (merge.from_rank == me && merge.into_rank == other) {
        parts(merge, [&](const Segment& part) { part.append_to(sent_, nodes_.at(merge.from)); });
      }
      if (merge.from_rank == other && merge.into_rank == me) {
        parts(merge, [&](const Segment& part) { coming += static_cast<std::size_t>(part.count); });
      }
    }
    received_.resize(coming);
    exchange(other, other);
    const float* from = received_.data();
    for (const Merge& merge : level.merges) {
      if (merge.from_rank != other || merge.into_rank != me) continue;
      parts(merge, [&](const Segment& part) {
        combine(level, merge, part, from);
        from += part.count;
      });
    }
  }
}

void ShardSum::exchange(int to, int from) {
  group_.exchange("sum of the gradients", to, std::as_bytes(std::span(sent_)), from,
                  std::as_writable_bytes(std::span(received_)));
}

/// Every process gets the slices that others added.
void ShardSum::spread(std::int64_t begin, std::int64_t end) {
  const int me = group_.rank(), processes = plan_.processes;
  Node& mine = nodes_.at(first());
  const auto parts = [&](int rank, auto&& visit) {
    for (int slice = 0; slice < processes; ++slice) {
      const Place& place = plan_.results[static_cast<std::size_t>(slice)];
      if (place.rank != rank) continue;
      const auto [from, to] = slice_of(begin, end, slice, processes);
      each_segment(from, to, [&](const Segment& part) { visit(part, place.list); });
    }
  };
  sent_.clear();
  parts(me, [&](const Segment& part, int list) { part.append_to(sent_, nodes_.at(list)); });
  const auto put = [&](int rank, const float* from) {
    parts(rank, [&](const Segment& part, int) {
      float* into = mine.dense[part.item].mutable_data<float>() + part.offset;
      std::memcpy(into, from, static_cast<std::size_t>(part.count) * sizeof(float));
      from += part.count;
    });
  };
  put(me, sent_.data());
  for (int far = 1; far < processes; ++far) {
    const int from = (me - far + processes) % processes;
    std::size_t coming = 0;
    parts(from, [&](const Segment& part, int) { coming += static_cast<std::size_t>(part.count); });
    received_.resize(coming);
    exchange((me + far) % processes, from);
    put(from, received_.data());
  }
}

namespace {

void append(std::vector<std::byte>& bytes, const void* from, std::size_t count) {
  const auto* begin = static_cast<const std::byte*>(from);
  bytes.insert(bytes.end(), begin, begin + count);
}

/// Takes values off the front of bytes.
template <class T>
void take(std::span<const std::byte>& bytes, T* to, std::size_t count) {
  if (bytes.size() < count * sizeof(T)) fail<ValueError>("the rows of a sparse gradient arrived incomplete");
  if (count > 0) std::memcpy(to, bytes.data(), count * sizeof(T));
  bytes = bytes.subspan(count * sizeof(T));
}

}  // namespace

/// Gradients of rows are short, and of other lengths on every process: each gets all nodes, and adds them itself.
void ShardSum::sum_rows() {
  std::vector<std::size_t> sparse;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (parameters_[i].sparse()) sparse.push_back(i);
  }
  if (sparse.empty()) return;
  std::vector<std::byte> mine;
  for (const auto& [shard, node] : nodes_) {
    for (const std::size_t i : sparse) {
      const auto& [rows, values] = node.rows[i];
      const std::array<std::int64_t, 2> head = {shard, rows.defined() ? rows.numel() : -1};
      append(mine, head.data(), sizeof(head));
      if (head[1] <= 0) continue;
      append(mine, rows.data<std::int64_t>(), static_cast<std::size_t>(head[1]) * sizeof(std::int64_t));
      append(mine, values.data<float>(), static_cast<std::size_t>(values.numel()) * sizeof(float));
    }
  }
  std::map<std::int64_t, std::vector<RowGradient>> all;
  for (const auto& theirs : group_.gather(mine)) {
    std::span<const std::byte> bytes = theirs;
    while (!bytes.empty()) {
      for (const std::size_t i : sparse) {
        std::array<std::int64_t, 2> head{};
        take(bytes, head.data(), 2);
        std::vector<RowGradient>& node = all[head[0]];
        node.resize(parameters_.size());
        if (head[1] < 0) continue;
        node[i] = {empty({head[1]}, Dtype::i64), empty({head[1], parameters_[i].shape()[1]})};
        take(bytes, node[i].rows.mutable_data<std::int64_t>(), static_cast<std::size_t>(head[1]));
        take(bytes, node[i].values.mutable_data<float>(), static_cast<std::size_t>(node[i].values.numel()));
      }
    }
  }
  for (const Level& level : plan_.levels) {
    for (const std::size_t i : sparse) {
      RowGradient& left = all.at(level.left)[i];
      left = add_rows(left, all.at(level.right)[i]);
    }
  }
  nodes_.at(first()).rows = std::move(all.at(0));
}

void ShardSum::put_back() {
  Node& sum = nodes_.at(first());
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (sum.dense[i].defined()) parameters_[i].set_gradient(std::move(sum.dense[i]));
    if (sum.rows[i].defined()) parameters_[i].set_row_gradient(std::move(sum.rows[i]));
  }
  const auto shards = static_cast<float>(plan_.shards);
  for (std::size_t i = 0; i < buffers_.size(); ++i) {
    const float* change = sum.dense[parameters_.size() + i].data<float>();
    const float* was = before_[i].data<float>();
    float* now = buffers_[i].tensor.mutable_data<float>();
    for (std::int64_t k = 0; k < before_[i].numel(); ++k) now[k] = was[k] + change[k] / shards;
  }
}

}  // namespace temper::distributed::detail
