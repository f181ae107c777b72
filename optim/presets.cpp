#include <temper/optim/presets.hpp>

#include <cmath>

#include "optim/schedule_internal.hpp"

namespace temper::optim {

namespace {

Schedule from_zero(Step warm) { return warmup(warm, Warmup::zero_based); }

void check_total(const char* name, Step warm, Step total) {
  if (warm < 0 || warm > total) {
    fail<ValueError>("{}: {} warm-up steps of {} in total, expected no more than the total", name, warm, total);
  }
}

}  // namespace

Schedule llmc_schedule(double peak, Step warm, Step total) {
  check_total("llmc_schedule", warm, total);
  return peak * warmup(warm).then(linear_decay(total - warm));
}

Schedule linear_schedule_with_warmup(double peak, Step warm, Step total) {
  check_total("linear_schedule_with_warmup", warm, total);
  return peak * from_zero(warm).then(linear_decay(total - warm));
}

Schedule cosine_schedule_with_warmup(double peak, Step warm, Step total) {
  check_total("cosine_schedule_with_warmup", warm, total);
  return peak * from_zero(warm).then(cosine(total - warm));
}

Schedule bert_schedule(double peak, Step warm, Step total) {
  check_total("bert_schedule", warm, total);
  return peak * from_zero(warm).then(linear_decay(total).skip(warm));
}

Schedule nanogpt_schedule(double peak, Step warm, Step total, double end) {
  check_total("nanogpt_schedule", warm, total);
  return peak * warmup(warm + 1).cut(warm).then(cosine(total - warm, {.end = peak == 0.0 ? 0.0 : end / peak}));
}

Schedule noam(double model_size, Step warm) {
  if (!(model_size > 0.0)) fail<ValueError>("noam: model size {}, expected a positive number", model_size);
  detail::check_steps("noam", warm, 1);
  return 1.0 / std::sqrt(model_size * static_cast<double>(warm)) * min(warmup(warm), inverse_sqrt(warm, {.from = 1}));
}

Schedule optax_warmup(double peak, Step warm) { return peak * from_zero(warm); }

Schedule pytorch_linear_lr(double start, Step n) { return linear(n, {.start = start}); }

Schedule deepspeed_warmup(double peak, Step warm) { return peak * constant(0.0, 1).then(from_zero(warm)); }

Schedule deepspeed_log_warmup(double peak, Step warm) { return peak * constant(0.0, 1).then(log_warmup(warm)); }

Schedule deepspeed_warmup_cosine(double peak, Step warm, Step total) {
  check_total("deepspeed_warmup_cosine", warm, total);
  return peak * constant(0.0, 1).then(from_zero(warm)).then(cosine(total - warm).skip(1));
}

Schedule timm_cosine(double peak, Step warm, Step total) {
  check_total("timm_cosine", warm, total);
  return peak * from_zero(warm).then(cosine(total).skip(warm));
}

}  // namespace temper::optim
