#pragma once

#include <vector>

#include <temper/autograd/tape.hpp>
#include <temper/nn/norm.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper {

/// While one lives, the parameters of an optimizer hold the averages that Optimizer::average() keeps: to evaluate or
/// save them. No step is possible meanwhile.
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

/// The running statistics of all batch norms of a model, taken batch by batch. Puts the old ones back unless finished.
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
/// `loader`. Weights that were averaged, or loaded from elsewhere, need it: the statistics they have are another's.
/// `model` is a module that maps a batch of inputs to something; the loader yields inputs and labels.
/// Throws: ValueError when the loader has no batches, or a norm's momentum is not positive; the old statistics are back
/// then.
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
