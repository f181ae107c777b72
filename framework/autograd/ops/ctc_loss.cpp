#include <temper/autograd/ops/ctc_loss.hpp>

#include <algorithm>
#include <cmath>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/kernels/ctc.hpp"

namespace temper {

namespace {

constexpr const char* name = "ctc_loss";

void require_lengths(const char* argument, const Tensor& lengths, std::int64_t batch, std::int64_t most) {
  detail::require(name, argument, lengths, Dtype::i64);
  if (!(lengths.shape() == Shape{batch})) {
    fail<ShapeError>("{}: {} {}, expected [{}]", name, argument, lengths.shape(), batch);
  }
  for (const std::int64_t length : lengths.values<std::int64_t>()) {
    if (length < 0 || length > most) fail<ValueError>("{}: {} has {}, expected 0 to {}", name, argument, length, most);
  }
}

/// Where each target begins: i64 [N]. Throws unless all labels are classes and fit their inputs.
Tensor beginnings(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                  const Tensor& target_lengths, const CtcOptions& options) {
  const std::int64_t batch = log_probs.size(0), classes = log_probs.size(2);
  Tensor begins = empty({batch}, Dtype::i64);
  std::int64_t* const to = begins.mutable_data<std::int64_t>();
  std::int64_t next = 0;
  for (std::int64_t n = 0; n < batch; ++n) {
    const std::int64_t length = target_lengths.data<std::int64_t>()[n];
    to[n] = targets.rank() == 2 ? n * targets.size(1) : next;
    next += length;
    std::int64_t needed = length;
    for (std::int64_t i = 0; i < length; ++i) {
      const std::int64_t* const label = targets.data<std::int64_t>() + to[n] + i;
      if (*label < 0 || *label >= classes || *label == options.blank) {
        fail<ValueError>("{}: label {} of target {} is outside the {} classes, or the blank", name, *label, n, classes);
      }
      if (i > 0 && label[-1] == label[0]) ++needed;  // there must be a blank between
    }
    const std::int64_t steps = input_lengths.data<std::int64_t>()[n];
    if (needed > steps && !options.zero_infinity) {
      fail<ValueError>("{}: target {} of {} labels needs {} steps, its input has {}; zero_infinity leaves it out", name,
                       n, length, needed, steps);
    }
  }
  return begins;
}

}  // namespace

Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                const Tensor& target_lengths, const CtcOptions& options) {
  detail::require(name, "log_probs", log_probs);
  detail::require(name, "targets", targets, Dtype::i64);
  if (log_probs.rank() != 3) fail<ShapeError>("{}: log_probs {}, expected [N, T, classes]", name, log_probs.shape());
  const std::int64_t batch = log_probs.size(0), steps = log_probs.size(1), classes = log_probs.size(2);
  if (options.blank < 0 || options.blank >= classes) {
    fail<ValueError>("{}: blank {} is outside the {} classes", name, options.blank, classes);
  }
  const bool rows = targets.rank() == 2 && targets.size(0) == batch;
  if (!rows && targets.rank() != 1) {
    fail<ShapeError>("{}: targets {}, expected [{}, S] or [sum of the lengths]", name, targets.shape(), batch);
  }
  require_lengths("input_lengths", input_lengths, batch, steps);
  require_lengths("target_lengths", target_lengths, batch, rows ? targets.size(1) : targets.numel());
  std::int64_t labels = 0;
  for (const std::int64_t length : target_lengths.values<std::int64_t>()) labels += length;
  if (!rows && labels != targets.numel()) {
    fail<ShapeError>("{}: targets {}, their lengths sum to {}", name, targets.shape(), labels);
  }
  if (options.reduction == Reduction::mean && batch == 0) fail<ValueError>("{}: mean over no example", name);
  const Tensor begins = beginnings(log_probs, targets, input_lengths, target_lengths, options);

  const auto task_of = [batch, steps, classes, blank = options.blank](const Tensor& inputs, const Tensor& lengths,
                                                                      const Tensor& all, const Tensor& begin) {
    return kernels::Ctc{.batch = batch,
                        .steps = steps,
                        .classes = classes,
                        .blank = blank,
                        .input_lengths = inputs.data<std::int64_t>(),
                        .target_lengths = lengths.data<std::int64_t>(),
                        .targets = all.data<std::int64_t>(),
                        .target_begin = begin.data<std::int64_t>()};
  };
  Tensor losses = empty({batch}), scales = empty({batch});
  kernels::ctc(task_of(input_lengths, target_lengths, targets, begins), log_probs.data<float>(),
               losses.mutable_data<float>());
  double total = 0.0;
  for (std::int64_t n = 0; n < batch; ++n) {
    float& loss = losses.mutable_data<float>()[n];
    if (options.zero_infinity && std::isinf(loss)) loss = 0.0f;
    const auto length = static_cast<double>(std::max<std::int64_t>(1, target_lengths.data<std::int64_t>()[n]));
    const double scale = options.reduction == Reduction::mean ? 1.0 / (length * static_cast<double>(batch)) : 1.0;
    scales.mutable_data<float>()[n] = static_cast<float>(scale);
    total += scale * static_cast<double>(loss);
  }
  const bool one = options.reduction != Reduction::none;
  return record(name, one ? scalar(static_cast<float>(total)) : losses, {log_probs},
                [one, task_of, scales, begins, x = save(log_probs), inputs = save(input_lengths),
                 lengths = save(target_lengths), targets = save(targets)](const Tensor& dy, Gradients& gradients) {
                  Tensor slopes = empty(scales.shape()), dx = empty(x->shape());
                  for (std::int64_t n = 0; n < slopes.numel(); ++n) {
                    slopes.mutable_data<float>()[n] = scales.data<float>()[n] * dy.data<float>()[one ? 0 : n];
                  }
                  kernels::ctc_backward(task_of(inputs, lengths, targets, begins), x->data<float>(),
                                        slopes.data<float>(), dx.mutable_data<float>());
                  gradients.give(0, dx);
                });
}

}  // namespace temper
