#pragma once

#include <map>
#include <vector>

#include <temper/autograd/parameter.hpp>
#include <temper/distributed/group.hpp>
#include <temper/nn/module.hpp>

#include "framework/distributed/tree_internal.hpp"

namespace temper::distributed::detail {

/// The sum of the gradients of an update's shards, in a tree that depends on their number alone, so that it has the same
/// bits for every number of processes. Buffers (running statistics) begin every shard as they were before the update, and
/// end as the mean of what the shards made of them.
class ShardSum {
 public:
  /// Throws: ValueError unless the number of processes divides that of the shards.
  ShardSum(Group& group, std::vector<Parameter> parameters, const std::vector<nn::Buffer>& buffers, int shards);

  /// The shards of this process: from first() to first() + count() - 1.
  int first() const { return group_.rank() * plan_.each(); }
  int count() const { return plan_.each(); }

  /// Before the first shard of an update.
  void begin();
  /// Takes the gradients that wait in the parameters as those of this process's next shard.
  void add();
  /// When all shards of this process were added: leaves the sum of all processes' in the parameters.
  void finish();
  /// Forgets the shards that were added since begin().
  void drop();

 private:
  /// The gradients of a node, by parameter, and after them the changes of the buffers. Undefined where there is none.
  struct Node {
    std::vector<Tensor> dense;
    std::vector<RowGradient> rows;  // of the sparse parameters
  };
  struct Segment;

  void merge(int shard);
  static void add_to(Node& into, Node& from);
  void share_presence();
  bool present(int node, int width, std::size_t item) const;
  void sum_dense();
  void run_level(const Level& level, std::int64_t begin, std::int64_t end);
  void spread(std::int64_t begin, std::int64_t end);
  void combine(const Level& level, const Merge& merge, const Segment& part, const float* from);
  void exchange(int to, int from);
  template <class Visit>
  void each_segment(std::int64_t begin, std::int64_t end, Visit&& visit) const;
  void sum_rows();
  void put_back();

  Group& group_;
  std::vector<Parameter> parameters_;
  std::vector<nn::Buffer> buffers_;  // those in f32
  std::vector<Tensor> before_;       // their copies
  TreePlan plan_;
  int added_ = 0;
  std::map<int, Node> nodes_;                // by their first shard
  std::vector<std::vector<char>> has_;       // [shard][item]: whether it has a gradient
  std::vector<std::int64_t> start_;          // of each item among those that any shard has; the others take no room
  std::vector<float> sent_, received_;
};

}  // namespace temper::distributed::detail
