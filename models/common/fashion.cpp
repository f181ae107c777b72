#include "models/common/fashion.hpp"

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

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
  sample_mistakes(run, model, test.dataset());
}

void sample_mistakes(Run& run, const nn::Layer& model, const data::FashionMnist& test) {
  constexpr int most = 24;
  int shown = 0;
  for (std::int64_t first = 0, count = 0; first < test.size() && shown < most; first += count) {
    count = std::min<std::int64_t>(100, test.size() - first);
    std::vector<std::int64_t> numbers(static_cast<std::size_t>(count));
    std::iota(numbers.begin(), numbers.end(), first);
    const auto [images, labels] = test.batch(numbers);
    const Tensor guesses = argmax(model(images));
    for (std::int64_t i = 0; i < count && shown < most; ++i) {
      const std::int64_t guess = guesses.data<std::int64_t>()[i], label = labels.data<std::int64_t>()[i];
      if (guess == label) continue;
      const auto pixels = test.pixels(first + i);
      Tensor image = empty(test.shape().without_axis(0));
      std::ranges::transform(pixels, image.mutable_data<float>(), [](std::uint8_t pixel) { return pixel / 255.0f; });
      const auto name = [](std::int64_t number) {
        return std::string(data::FashionMnist::class_names.at(static_cast<std::size_t>(number)));
      };
      run.sample_image("Misclassified", name(label) + ", taken for " + name(guess), image);
      ++shown;
    }
  }
}

}  // namespace temper::models
