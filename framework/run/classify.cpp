#include <temper/run/classify.hpp>

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include <temper/train/scores.hpp>

namespace temper {

void train_on_fashion_mnist(Run& run, const nn::Layer& model) {
  const std::string& folder = run.options().data;
  data::Loader train(data::FashionMnist(data::Split::train, {.path = folder}), run.loader_options());
  data::Loader test(data::FashionMnist(data::Split::test, {.path = folder}), {.batch_size = 1000});
  train_classifier(run, model, train, test);
  ConfusionMatrix matrix(static_cast<std::int64_t>(data::FashionMnist::class_names.size()));
  for (const auto& [inputs, labels] : test) matrix.add(model(inputs), labels);
  run.sample_matrix("Confusion matrix", matrix,
                    {data::FashionMnist::class_names.begin(), data::FashionMnist::class_names.end()});
  sample_mistakes(run, model, test.dataset());
}

void sample_mistakes(Run& run, const nn::Layer& model, const data::FashionMnist& images) {
  constexpr int max_shown = 24;
  int shown = 0;
  for (std::int64_t first = 0, count = 0; first < images.size() && shown < max_shown; first += count) {
    count = std::min<std::int64_t>(100, images.size() - first);
    std::vector<std::int64_t> numbers(static_cast<std::size_t>(count));
    std::iota(numbers.begin(), numbers.end(), first);
    const auto [inputs, labels] = images.batch(numbers);
    const Tensor guesses = argmax(model(inputs));
    for (std::int64_t i = 0; i < count && shown < max_shown; ++i) {
      const std::int64_t guess = guesses.data<std::int64_t>()[i], label = labels.data<std::int64_t>()[i];
      if (guess == label) continue;
      const auto pixels = images.pixels(first + i);
      Tensor image = empty(images.shape().without_axis(0));
      std::ranges::transform(pixels, image.mutable_data<float>(), [](std::uint8_t pixel) { return pixel / 255.0f; });
      const auto name = [](std::int64_t number) {
        return std::string(data::FashionMnist::class_names.at(static_cast<std::size_t>(number)));
      };
      run.sample_image("Misclassified", name(label) + ", taken for " + name(guess), image);
      ++shown;
    }
  }
}

}  // namespace temper
