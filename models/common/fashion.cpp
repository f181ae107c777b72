#include "models/common/fashion.hpp"

#include <chrono>
#include <filesystem>

namespace temper::models {

void train_on_fashion_mnist(const nn::Sequential& model, const TrainOptions& options) {
  data::Loader train(data::FashionMnist(data::Split::train, {.path = options.data}),
                     {.batch_size = options.batch_size, .shuffle = true});
  data::Loader test(data::FashionMnist(data::Split::test, {.path = options.data}), {.batch_size = 1000});
  // Before the minutes of training, not after: a folder that cannot be made is an early error.
  std::filesystem::create_directories(options.out);

  const Step total = options.epochs * train.batches(), warm = options.warmup_steps(total);
  optim::AdamW adamw(model.parameters(),
                     {.lr = options.lr * optim::warmup(warm).then(optim::linear_decay(total - warm)),
                      .weight_decay = options.weight_decay,
                      .clip_norm = options.clip_norm > 0 ? options.clip_norm : optim::no_clipping});
  print("{}", nn::summary(model, zeros({options.batch_size, 28, 28, 1})));

  const auto begin = std::chrono::steady_clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); };
  double test_accuracy = 0;
  for (int epoch = 1; epoch <= options.epochs; ++epoch) {
    double loss_sum = 0;
    for (const auto& [images, labels] : progress(train, "epoch {}/{}", epoch, options.epochs)) {
      Tape tape;
      const Tensor loss = cross_entropy(model(images), labels);
      tape.backward(loss);
      adamw.step();
      loss_sum += loss.item();
    }
    test_accuracy = accuracy(model, test);
    print("epoch {}/{}: training loss {:.4f}, test accuracy {:.4f}, {:.1f} s", epoch, options.epochs,
          loss_sum / static_cast<double>(train.batches()), test_accuracy, seconds());
  }
  const std::string file = options.out + "/model.safetensors";
  save(file, model);
  print("trained in {:.1f} s, saved to {}", seconds(), file);
  print("test accuracy {:.4f}", test_accuracy);
}

}  // namespace temper::models
