#pragma once

// Temper's half of what the programs of a comparison share.

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

/// Parameter number i holds stream i, scaled by its fan-in; biases, gains and what else is a vector by 0.1.
inline void set_parameters(const std::vector<temper::Parameter>& parameters) {
  for (std::size_t s = 0; s < parameters.size(); ++s) {
    temper::Tensor value = parameters[s].value();
    const auto fan_in = static_cast<float>(value.numel() / value.size(0));
    const float scale = value.rank() > 1 ? 1.0f / std::sqrt(fan_in) : 0.1f;
    const auto elements = value.mutable_values<float>();
    for (std::size_t i = 0; i < elements.size(); ++i) elements[i] = noise(s, i, scale);
  }
}

inline std::vector<temper::Tensor> make_labels(const temper::Shape& shape, long classes, long counting) {
  std::vector<temper::Tensor> sets;
  for (int s = 0; s < label_sets; ++s) {
    sets.push_back(temper::empty(shape, temper::Dtype::i64));
    const auto elements = sets.back().mutable_values<std::int64_t>();
    for (std::size_t i = 0; i < elements.size(); ++i) elements[i] = counted_label(s, i, classes, counting);
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

/// One training step of a classifier over the sets in turn. The labels have `labels_shape`, by default
/// [batch]; about `counting` in twenty count.
template <class Model>
void run_classifier(const Options& options, double flops, const Model& model, const std::vector<temper::Tensor>& inputs,
                    long classes, const temper::Shape& labels_shape = {}, long counting = 20) {
  set_parameters(model.parameters());
  if (options.bf16) temper::nn::to_bf16(model);
  const auto labels =
      make_labels(labels_shape.rank() > 0 ? labels_shape : temper::Shape{options.batch}, classes, counting);
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
