#pragma once

// What Temper's programs of the comparison share.

#include <algorithm>
#include <cmath>
#include <vector>

#include <temper/autograd/ops.hpp>
#include <temper/autograd/recompute.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/nn/layers.hpp>
#include <temper/optim/optim.hpp>

#include "bench/compare/workload.hpp"
#include "bench/machine.hpp"

namespace workload {

/// Fills parameter s with noise of stream s: scaled by 1 / sqrt(fan-in), vectors such as biases and gains by 0.1.
inline void set_parameters(const std::vector<temper::Parameter>& parameters) {
  for (std::size_t s = 0; s < parameters.size(); ++s) {
    temper::Tensor value = parameters[s].value();
    const auto fan_in = static_cast<float>(value.numel() / value.size(0));
    const float scale = value.rank() > 1 ? 1.0f / std::sqrt(fan_in) : 0.1f;
    const auto elements = value.mutable_values<float>();
    for (std::size_t i = 0; i < elements.size(); ++i) elements[i] = noise(s, i, scale);
  }
}

inline std::vector<temper::Tensor> make_labels(const temper::Shape& shape, long classes, long labelled) {
  std::vector<temper::Tensor> sets;
  for (int s = 0; s < label_sets; ++s) {
    sets.push_back(temper::empty(shape, temper::Dtype::i64));
    const auto elements = sets.back().mutable_values<std::int64_t>();
    for (std::size_t i = 0; i < elements.size(); ++i) elements[i] = masked_label(s, i, classes, labelled);
  }
  return sets;
}

inline std::vector<temper::Tensor> make_ids(const Options& options) {
  std::vector<temper::Tensor> sets;
  for (int s = 0; s < input_sets; ++s) {
    sets.push_back(temper::empty({options.batch, options.context}, temper::Dtype::i64));
    const auto elements = sets.back().mutable_values<std::int64_t>();
    for (std::size_t i = 0; i < elements.size(); ++i) elements[i] = label(input_stream + s, i, options.vocabulary);
  }
  return sets;
}

/// Times training steps of a classifier, which use the sets of inputs and labels in turn. Labels have `labels_shape`,
/// by default [batch]. About `labelled` of 20 positions have a label; the others are ignored by the loss.
template <class Model>
void run_classifier(const Options& options, double flops, const Model& model, const std::vector<temper::Tensor>& inputs,
                    long classes, const temper::Shape& labels_shape = {}, long labelled = 20) {
  set_parameters(model.parameters());
  if (options.bf16) temper::nn::to_bf16(model);
  const auto labels =
      make_labels(labels_shape.rank() > 0 ? labels_shape : temper::Shape{options.batch}, classes, labelled);
  temper::optim::AdamW adamw(model.parameters(), {.lr = 1e-3, .weight_decay = 0.01});
  run(
      options, flops, temper::bench::machine(),
      [&](long i) {
        temper::Tape tape;
        const temper::Tensor loss = temper::cross_entropy(model(inputs[i % input_sets]), labels[i % label_sets]);
        tape.backward(loss);
        adamw.step();
        return loss;
      },
      [](const temper::Tensor& loss) { return loss.item(); });
}

}  // namespace workload
