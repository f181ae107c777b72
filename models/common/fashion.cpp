#include "models/common/fashion.hpp"

namespace temper::models {

void train_on_fashion_mnist(Run& run, const nn::Sequential& model) {
  const std::string& folder = run.options().data;
  data::Loader train(data::FashionMnist(data::Split::train, {.path = folder}), run.loader_options());
  data::Loader test(data::FashionMnist(data::Split::test, {.path = folder}), {.batch_size = 1000});
  const auto optimizer = run.optimizer(model, train.batches());
  run.train(
      model, *optimizer, train,
      [&](const auto& batch) {
        const auto& [images, labels] = batch;
        return cross_entropy(model(images), labels);
      },
      [&] {
        return Metrics{{"test accuracy", accuracy(model, test)}};
      });
}

}  // namespace temper::models
