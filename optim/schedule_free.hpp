#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

struct ScheduleFreeOptions {
  Schedule lr = 2.5e-3;  ///< warmed up and then constant; 1 to 10 times AdamW's
  Schedule beta1 = 0.9;  ///< how near to the average gradients are taken; 0.95 to 0.98 for long runs
  Schedule beta2 = 0.999;
  Schedule eps = 1e-8;
  Schedule weight_decay = 0.0;  ///< part of the step, of the weights that gradients are taken at
  Schedule r = 0.0;             ///< weights of the average grow with the r-th power of the step
  Schedule lr_power = 2.0;      ///< and with this power of the largest lr so far
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
};

struct ScheduleFreeSGDOptions {
  Schedule lr;  ///< warmed up and then constant; 10 to 50 times SGD's
  Schedule beta1 = 0.9;
  Schedule weight_decay = 0.0;
  Schedule r = 0.0;
  Schedule lr_power = 2.0;
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
};

/// AdamW that averages its iterates instead of letting the rate decay: no length of the run need be known. While it
/// trains, parameters hold y, between the average x and the iterate z; swap_averages() (AveragedWeights) puts x in
/// their place, to evaluate and to save. Batch norms need statistics of their own there: reestimate_batch_statistics().
/// A rate that decays defeats it, and lint says so. Source: Defazio et al., "The road less scheduled" (2024), algorithm
/// 1 and its authors' code.
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
