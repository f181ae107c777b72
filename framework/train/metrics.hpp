#pragma once

#include <cstdint>

#include <temper/autograd/tape.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper {

namespace detail {
/// Number of rows of `logits` [N, classes] whose largest entry is that of the label; labels are i64 [N].
/// Throws: ShapeError when the shapes do not fit.
std::int64_t count_correct(const Tensor& logits, const Tensor& labels);
double fraction(std::int64_t part, std::int64_t whole);
}  // namespace detail

/// The fraction of examples whose largest logit is that of their label. Runs without recording and in evaluation mode,
/// even while a tape records. `model` maps a batch of inputs to logits [N, classes]; the loader yields inputs and
/// labels. Throws: ValueError when the loader has no examples.
template <class Model, class Loader>
double accuracy(const Model& model, Loader& loader) {
  const NoTape unrecorded;
  std::int64_t correct = 0, count = 0;
  for (const auto& [inputs, labels] : loader) {
    correct += detail::count_correct(model(inputs), labels);
    count += labels.numel();
  }
  return detail::fraction(correct, count);
}

}  // namespace temper
