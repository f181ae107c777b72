#pragma once

#include <algorithm>
#include <string>

#include <temper/autograd/ops.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/random.hpp>
#include <temper/data/tensor_dataset.hpp>
#include <temper/io/checkpoint.hpp>
#include <temper/nn/layers.hpp>
#include <temper/optim/optim.hpp>

namespace temper_test {

using namespace temper;

/// A training run with everything that a checkpoint must hold: moments, averages, a schedule, a journal, dropout,
/// running statistics, a shuffled loader whose epochs are 5 batches long.
struct TinyRun {
  static constexpr Step steps = 12;

  explicit TinyRun(std::uint64_t seed) {
    manual_seed(seed);
    model = nn::Sequential(nn::Conv2d(1, 4, {.kernel = 3}), nn::BatchNorm2d(4), nn::ReLU(), nn::Flatten(),
                           nn::Dropout(0.25), nn::Linear(4 * 4 * 4, 3));
    optimizer = std::make_unique<optim::AdamW>(
        model.parameters(),
        optim::AdamWOptions{.lr = 1e-2 * optim::warmup(3).then(optim::linear_decay(steps - 3)), .clip_norm = 1.0});
    optimizer->average({.decay = 0.9});
    manual_seed(seed);
  }

  void run(Step count) {
    while (count > 0) {
      for (const auto& [images, labels] : loader) {
        Tape tape;
        tape.backward(cross_entropy(model(images), labels));
        optimizer->step();
        if (optimizer->k() == 4) optimizer->scale_lr(0.5, "a decision");
        if (--count == 0) break;
      }
    }
  }

  Checkpoint checkpoint() const { return checkpoint_of(model, *optimizer, loader.state()); }

  void resume(const Checkpoint& from) {
    restore(from, model, *optimizer);
    loader.restore(from.loader);
  }

  /// The bytes of everything that training changes.
  std::string bytes() const {
    std::string all;
    const auto add = [&](const Tensor& tensor) {
      const auto* data = tensor.dtype() == Dtype::i64 ? reinterpret_cast<const char*>(tensor.data<std::int64_t>())
                                                      : reinterpret_cast<const char*>(tensor.data<float>());
      all.append(data, static_cast<std::size_t>(tensor.numel()) * size_of(tensor.dtype()));
    };
    for (const auto& [name, tensor] : state_dict(model)) add(tensor);
    for (const auto& [name, tensor] : optimizer->state().tensors) add(tensor);
    return all;
  }

  static data::TensorDataset<2> examples() {
    manual_seed(99);
    Tensor labels = empty({40}, Dtype::i64);
    std::int64_t i = 0;
    for (std::int64_t& label : labels.mutable_values<std::int64_t>()) label = i++ % 3;
    return data::TensorDataset(normal({40, 6, 6, 1}), labels);
  }

  data::Loader<data::TensorDataset<2>> loader{examples(), {.batch_size = 8, .shuffle = true}};
  nn::Sequential model;
  std::unique_ptr<optim::AdamW> optimizer;
};

}  // namespace temper_test
