#pragma once

#include <vector>

#include <temper/autograd/tape.hpp>
#include <temper/nn/norm.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper {

/// During its lifetime, the parameters of an optimizer hold the averages that Optimizer::average() keeps, so that they
/// can be evaluated or saved. The optimizer's step() throws meanwhile.
class AveragedWeights {
 public:
  /// Throws: ValueError when there are no averages yet.
  explicit AveragedWeights(optim::Optimizer& optimizer);
  ~AveragedWeights();
  AveragedWeights(const AveragedWeights&) = delete;
  AveragedWeights& operator=(const AveragedWeights&) = delete;

 private:
  optim::Optimizer& optimizer_;
};

namespace detail {

/// Averages the statistics of all batch norms of a model over batches; restores the old ones without finish().
class BatchStatistics {
 public:
  explicit BatchStatistics(const nn::Module& model);
  ~BatchStatistics();
  BatchStatistics(const BatchStatistics&) = delete;
  BatchStatistics& operator=(const BatchStatistics&) = delete;

  void before_batch();
  void after_batch();
  /// Throws: ValueError when there was no batch.
  void finish();

 private:
  struct Statistic {
    Tensor running, old, sum;
    float momentum;
  };
  std::vector<Statistic> statistics_;
  std::int64_t batches_ = 0;
  bool finished_ = false;
};

}  // namespace detail

/// Sets the running mean and variance of every batch norm that is not frozen to their means over the batches of
/// `loader`. Needed after averaging weights, because the running statistics are those of the weights before averaging.
/// `model` is a module that is called with a batch of inputs; the loader yields inputs and labels.
/// Throws: ValueError when the loader has no batches, or a norm's momentum is not positive; the old statistics are
/// restored then.
/// Source: Izmailov et al., "Averaging weights leads to wider optima" (2018), section 3.2.
template <class Model, class Loader>
void reestimate_batch_statistics(const Model& model, Loader& loader) {
  detail::BatchStatistics statistics(model);
  const NoTape training(Mode::train);
  for (const auto& [inputs, labels] : loader) {
    statistics.before_batch();
    model(inputs);
    statistics.after_batch();
  }
  statistics.finish();
}

}  // namespace temper
