#pragma once

#include <temper/run/run.hpp>

namespace temper {

/// Trains a classifier with cross entropy, and evaluates its accuracy on `test`. `model` maps a batch of inputs to
/// logits [N, classes]; the loaders yield inputs and labels. Throws: as Run::train.
template <class Model, data::Dataset Train, data::Dataset Test>
void train_classifier(Run& run, const Model& model, data::Loader<Train>& train, data::Loader<Test>& test,
                      const CrossEntropyOptions& options = {}) {
  const auto optimizer = run.optimizer(model, train.batches());
  run.train(
      model, *optimizer, train,
      [&](const auto& batch) { return cross_entropy(model(std::get<0>(batch)), std::get<1>(batch), options); },
      [&] {
        return Metrics{{"test accuracy", accuracy(model, test)}};
      });
}

/// Trains a classifier of [N, 28, 28, 1] images on Fashion-MNIST, and shows its confusion matrix and some of its
/// mistakes in the report.
void train_on_fashion_mnist(Run& run, const nn::Layer& model);

/// Shows the first misclassified images, up to 24, in the run's report.
void sample_mistakes(Run& run, const nn::Layer& model, const data::FashionMnist& images);

}  // namespace temper
