#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include <temper/autograd/tape.hpp>
#include <temper/data/loader.hpp>
#include <temper/distributed/group.hpp>
#include <temper/nn/module.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::distributed {

/// The options of a DataParallel.
struct DataParallelOptions {
  /// Into how many shards an update's batch is cut. The number of processes must divide it. The bits of a training depend
  /// on it, and not on the number of processes.
  int shards = 8;
};

/// What an update made of all shards.
struct UpdateReport {
  double loss = 0;           ///< the mean over all that was counted
  double count = 0;          ///< how much that was
  optim::StepReport step{};  ///< of the optimizer
};

/// Trains one model on all processes of a group. Every update's batch is cut into shards, which the processes share. A
/// shard's gradient is computed alone, as are its dropout masks, and all are summed in a fixed tree, so 1, 2 and 4
/// processes end with the same parameters, bit for bit:
///
///     distributed::Group world;
///     distributed::DataParallel parallel(world, model, adamw);
///     data::Loader train(dataset, parallel.loader({.batch_size = 128, .shuffle = true}));
///     for (const auto& [images, labels] : train) {
///       parallel.step(images.size(0), [&] { return cross_entropy(model(images), labels); });
///     }
///
/// Every process makes the same model, optimizer and loader, which the first step checks. One process does all shards, one
/// after another. Running statistics (batch norm) begin every shard as they were before the update, and become the mean
/// of what the shards made of them.
class DataParallel {
 public:
  /// Model, optimizer and group must outlive it. Throws: ValueError unless the number of processes divides `shards`.
  DataParallel(Group& group, const nn::Module& model, optim::Optimizer& optimizer,
               const DataParallelOptions& options = {});
  ~DataParallel();
  DataParallel(const DataParallel&) = delete;
  DataParallel& operator=(const DataParallel&) = delete;

  /// The options of a Loader of which this process takes its shards: `batch_size` is that of an update, of all processes
  /// together. Throws: ValueError unless the shards divide it.
  data::LoaderOptions loader(data::LoaderOptions options) const;

  /// The loss of a shard and its gradient. `loss()` returns the mean over `count` examples, or whatever else is counted,
  /// such as labels that are not ignored; a shard without any counts 0. With the last shard of the update, on all processes, the
  /// optimizer makes its step with the mean over all shards, and there is a report; else none. Throws: what `loss` throws;
  /// ValueError when the processes do not train the same, or for a loss that is not finite; as Optimizer::step.
  std::optional<UpdateReport> step(double count, const std::function<Tensor()>& loss);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace temper::distributed
