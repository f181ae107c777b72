#pragma once

#include <temper/optim/schedule.hpp>

namespace temper::optim {

// Schedules of other libraries, by their names there, with exactly the same values. `warm` and `total` are in updates.

/// llm.c: peak (k + 1) / warm, then linearly to 0.
Schedule llmc_schedule(double peak, Step warm, Step total);
/// transformers' get_linear_schedule_with_warmup: peak k / warm, then linearly to 0. The first update has a rate of 0.
Schedule linear_schedule_with_warmup(double peak, Step warm, Step total);
/// transformers' get_cosine_schedule_with_warmup with half a cycle.
Schedule cosine_schedule_with_warmup(double peak, Step warm, Step total);
/// BERT's optimization.py: peak k / warm, then peak (1 - k / total). The first update has a rate of 0, and the peak is
/// never reached.
Schedule bert_schedule(double peak, Step warm, Step total);
/// nanoGPT: peak (k + 1) / (warm + 1), then a cosine down to `end`.
Schedule nanogpt_schedule(double peak, Step warm, Step total, double end = 0.0);
/// The original transformer: d^-0.5 min(t^-0.5, t warm^-1.5) with t = k + 1.
/// Source: Vaswani et al., "Attention is all you need" (2017), section 5.3.
Schedule noam(double model_size, Step warm);
/// optax and MLX: linear_schedule(0, peak, warm).
Schedule optax_warmup(double peak, Step warm);
/// torch.optim.lr_scheduler.LinearLR(start_factor = start, total_iters = n).
Schedule pytorch_linear_lr(double start, Step n);
/// DeepSpeed's WarmupLR with warmup_type = "linear": the first two updates have a rate of 0.
Schedule deepspeed_warmup(double peak, Step warm);
/// DeepSpeed's WarmupLR with its default, a logarithmic warm-up.
Schedule deepspeed_log_warmup(double peak, Step warm);
/// DeepSpeed's WarmupCosineLR up to `total`. The peak is never reached.
Schedule deepspeed_warmup_cosine(double peak, Step warm, Step total);
/// timm's CosineLRScheduler with warmup_prefix = False: the cosine begins at step 0, so the peak is never reached.
Schedule timm_cosine(double peak, Step warm, Step total);

}  // namespace temper::optim
