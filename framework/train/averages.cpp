#include <temper/train/averages.hpp>

#include "framework/core/format_internal.hpp"

namespace temper {

AveragedWeights::AveragedWeights(optim::Optimizer& optimizer) : optimizer_(optimizer) { optimizer.swap_averages(); }

AveragedWeights::~AveragedWeights() {
  try {
    optimizer_.swap_averages();
  } catch (const Error&) {
    // A parameter's dtype was changed meanwhile. The optimizer's next step throws the error again.
  }
}

namespace detail {

BatchStatistics::BatchStatistics(const nn::Module& model) {
  std::vector<const nn::Module*> modules = {&model};
  for (const nn::Child& child : model.children()) modules.push_back(child.module);
  for (const nn::Module* module : modules) {
    const auto* norm = dynamic_cast<const nn::BatchNorm2d*>(module);
    if (norm == nullptr || norm->frozen()) continue;
    for (const Tensor& running : {norm->running_mean, norm->running_var}) {
      if (!(norm->options().momentum > 0)) {
        fail<ValueError>(
            "reestimate_batch_statistics: a BatchNorm2d has momentum {}, so it gathers no statistics; "
            "expected a positive one, or a norm that is frozen",
            norm->options().momentum);
      }
      statistics_.push_back({running, running.clone(), zeros(running.shape()), norm->options().momentum});
    }
  }
}

BatchStatistics::~BatchStatistics() {
  if (finished_) return;
  for (Statistic& statistic : statistics_) statistic.running.copy_from(statistic.old);
}

/// Starting from zero, a running statistic becomes momentum times the batch's statistic.
void BatchStatistics::before_batch() {
  for (Statistic& statistic : statistics_) statistic.running.fill(0.0f);
}

void BatchStatistics::after_batch() {
  ++batches_;
  for (Statistic& statistic : statistics_) {
    const float* running = statistic.running.data<float>();
    for (float& sum : statistic.sum.mutable_values<float>()) sum += *running++;
  }
}

void BatchStatistics::finish() {
  if (batches_ == 0) fail<ValueError>("reestimate_batch_statistics: the loader has no batches");
  for (Statistic& statistic : statistics_) {
    const float* sum = statistic.sum.data<float>();
    const float weight = static_cast<float>(batches_) * statistic.momentum;
    for (float& running : statistic.running.mutable_values<float>()) running = *sum++ / weight;
  }
  finished_ = true;
}

}  // namespace detail
}  // namespace temper
