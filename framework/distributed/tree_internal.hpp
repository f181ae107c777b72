#pragma once

#include <cstddef>
#include <vector>

namespace temper::distributed::detail {

// The fixed tree in which the shards 0 .. L-1 of an update are summed. A node has the number of its first shard; node i of
// width w covers the shards i .. i+w-1 that there are. It depends on L alone: with L = 6,
//
//     width 2    0+1  2+3  4+5
//     width 4    01+23
//     width 8    0123+45
//
// The sums of single elements are independent of each other. So where the two halves of a sum are on two processes, each
// of them adds some slices of the elements, and addition commutes: who adds does not change the bits.

/// What is done for a slice: list `from` is added to list `into`. A list has the number of the node that it held first.
struct Merge {
  int slice;
  bool to_right;        // the left node is added to the right one's list, and not the other way round
  int from_rank, from;  // the process, and its list
  int into_rank, into;
};

/// The sums that need two processes, or follow such ones, in the order in which they are made.
struct Level {
  int left, right, width;     // nodes left and right, of this width each, become node left
  std::vector<Merge> merges;  // one for each slice
};

/// Where the complete sum of a slice is.
struct Place {
  int rank, list;
};

struct TreePlan {
  int shards, processes;
  std::vector<Level> levels;
  std::vector<Place> results;  // by slice

  int each() const { return shards / processes; }  // shards of a process
};

/// The plan for `shards` shards on `processes` processes, which divide them; process r has the shards from r * each() on.
/// There are as many slices as processes.
TreePlan plan_tree(int shards, int processes);

}  // namespace temper::distributed::detail
