#include <algorithm>

#include "framework/distributed/tree_internal.hpp"

namespace temper::distributed::detail {

TreePlan plan_tree(int shards, int processes) {
  TreePlan plan{.shards = shards, .processes = processes, .levels = {}, .results = {}};
  const int each = plan.each();
  const auto slices = static_cast<std::size_t>(processes);
  std::vector<std::vector<Place>> where(static_cast<std::size_t>(shards));
  for (int shard = 0; shard < shards; ++shard) {
    where[static_cast<std::size_t>(shard)].assign(slices, {shard / each, shard});
  }
  int turn = 0;  // so that the adding is spread over the processes
  for (int width = 1; width < shards; width *= 2) {
    bool crossed = false;
    for (int left = 0; left + width < shards; left += 2 * width) {
      const int right = left + width, last = std::min(left + 2 * width, shards) - 1;
      if (left / each == last / each) continue;  // within a process
      crossed = true;
      Level level{.left = left, .right = right, .width = width, .merges = {}};
      for (std::size_t slice = 0; slice < slices; ++slice) {
        Place& a = where[static_cast<std::size_t>(left)][slice];
        const Place b = where[static_cast<std::size_t>(right)][slice];
        const bool to_right = a.rank != b.rank && ((slice >> turn) & 1) != 0;
        const Place from = to_right ? a : b, into = to_right ? b : a;
        level.merges.push_back({static_cast<int>(slice), to_right, from.rank, from.list, into.rank, into.list});
        a = into;
      }
      plan.levels.push_back(std::move(level));
    }
    if (crossed) ++turn;
  }
  plan.results = where[0];
  return plan;
}

}  // namespace temper::distributed::detail
