#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <temper/data/tensor_dataset.hpp>
#include <temper/models/cnn/cnn.hpp>
#include <temper/temper.hpp>

namespace temper::study {

/// The size of the study.
struct Scale {
  models::CnnConfig network{.width1 = 8, .width2 = 16, .hidden = 32};
  std::int64_t images = 12000;  ///< training images: the first ones of Fashion-MNIST
  std::int64_t test_images = 10000;
  std::int64_t batch_size = 64;
  int epochs = 2;
  std::uint64_t first_seed = 1;
  int seeds = 3;
};

/// Labelled images in memory.
using Images = data::TensorDataset<2>;

/// The first `count` images of a data set.
template <data::BatchedDataset D>
Images first_images(const D& dataset, std::int64_t count) {
  const Tensor numbers = arange(count);
  auto [images, labels] = dataset.batch(numbers.values<std::int64_t>());
  return Images(images, labels);
}

/// An optimizer and the values to train with.
struct Recipe {
  std::string name;
  double lr;              ///< customary learning rate
  double high, too_high;  ///< the highest rate at which Scale's network trains without warm-up; a higher one
  double decay;           ///< `l2` or `weight_decay`
  std::unique_ptr<optim::Optimizer> (*make)(const std::vector<Parameter>&, const optim::Schedule& lr, double decay);
};

Recipe sgd();
/// The same with compensated rounding.
Recipe compensated_sgd();
Recipe sgdw();
Recipe momentum_sgd();
Recipe momentum_sgdw();
Recipe rmsprop();
Recipe adam();
Recipe adamw();
Recipe radam();
Recipe lion();

// With the paper's decay, which follows the schedule's shape but not the rate: `decay` is the share that the first
// update takes off a weight.

/// With momentum 0 or 0.9.
Recipe independent_sgdw(double momentum);
Recipe independent_adamw();

/// The results of one training run.
struct Outcome {
  std::vector<double> losses;  ///< of each update's batch, before the update
  std::vector<Parameter> parameters;
  double accuracy = 0.0;  ///< on the test images
};

/// A moment of a run, after an update.
struct Moment {
  Step updates;  ///< so far
  const nn::Sequential& model;
  const optim::Optimizer& optimizer;
};

/// What a run may do besides training.
struct Extras {
  std::vector<std::vector<std::int64_t>>
      first_batches{};                        ///< the images of the first batches, before the shuffled ones
  std::function<void(const Moment&)> look{};  ///< called before the first update, and after each one
};

/// Trains networks on the same data.
class Bench {
 public:
  Bench(const Scale& scale, const Images& train, const Images& test);

  const Scale& scale() const { return scale_; }
  /// Updates per epoch.
  Step epoch() const;
  /// Updates per run.
  Step total() const { return scale_.epochs * epoch(); }

  /// Trains a new network for `updates` updates. Initial weights and the order of images depend on the seed only.
  Outcome train(const Recipe& recipe, const optim::Schedule& lr, double decay, Step updates, std::uint64_t seed,
                const Extras& extras = {}) const;

  const Images& training_images() const { return train_; }
  const Images& test_images() const { return test_; }

 private:
  Scale scale_;
  Images train_, test_;
};

}  // namespace temper::study
