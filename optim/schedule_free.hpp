#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

struct ScheduleFreeOptions {
  Schedule lr = 2.5e-3;  ///< a warm-up, then constant; 1 to 10 times AdamW's
  Schedule beta1 = 0.9;  ///< gradients are taken at beta1 * average + (1 - beta1) * iterate; long runs: 0.95 to 0.98
  Schedule beta2 = 0.999;
  Schedule eps = 1e-8;
  Schedule weight_decay = 0.0;  ///< added to the direction, times the weights at which gradients are taken
  Schedule r = 0.0;             ///< iterate t has the weight t^r in the average,
  Schedule lr_power = 2.0;      ///< times the largest lr so far to this power
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
};

struct ScheduleFreeSGDOptions {
  Schedule lr;  ///< a warm-up, then constant; 10 to 50 times SGD's
  Schedule beta1 = 0.9;
  Schedule weight_decay = 0.0;
  Schedule r = 0.0;
  Schedule lr_power = 2.0;
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
};

/// AdamW that averages its iterates instead of letting the rate decay, so that the length of the run need not be known.
/// In training, parameters hold y, between the average x and the iterate z; swap_averages() (AveragedWeights) replaces
/// it by x, for evaluating and saving. With batch norms, call reestimate_batch_statistics() after that. A rate that
/// decays works against the averaging; lint warns of it. Source: Defazio et al., "The road less scheduled" (2024),
/// algorithm 1 and the authors' code.
class ScheduleFree : public Optimizer {
 public:
  ScheduleFree(Groups groups, const ScheduleFreeOptions& options = {});

 protected:
  struct WithoutMoments {};
  ScheduleFree(Groups groups, const ScheduleFreeSGDOptions& options, WithoutMoments);

 private:
  void prepare(Now& now) const override;
  void update(const Piece& piece) const override;
  void evaluation_weights(const Piece& piece, float* weights) const override;
};

/// The same for SGD.
class ScheduleFreeSGD final : public ScheduleFree {
 public:
  ScheduleFreeSGD(Groups groups, const ScheduleFreeSGDOptions& options)
      : ScheduleFree(std::move(groups), options, WithoutMoments{}) {}
};

}  // namespace temper::optim
