#include <temper/temper.hpp>
using namespace temper;

int main() {
  manual_seed(1);
  data::Loader train(data::FashionMnist(data::Split::train), {.batch_size = 128, .shuffle = true});
  data::Loader test(data::FashionMnist(data::Split::test), {.batch_size = 1000});

  nn::Sequential model(
      nn::Conv2d(1, 32, {.kernel = 3, .padding = 1}), nn::ReLU(), nn::MaxPool2d(2),   // [N, 14, 14, 32]
      nn::Conv2d(32, 64, {.kernel = 3, .padding = 1}), nn::ReLU(), nn::MaxPool2d(2),  // [N, 7, 7, 64]
      nn::Flatten(), nn::Linear(64 * 7 * 7, 128), nn::ReLU(), nn::Linear(128, 10));   // [N, 10] logits

  const int epochs = 5;
  const Step total = epochs * train.batches(), warm = total / 10;
  optim::AdamW adamw(model.parameters(), {
      .lr = 1e-3 * optim::warmup(warm).then(optim::linear_decay(total - warm)),
      .weight_decay = 0.01,
      .clip_norm = 1.0});

  for (int epoch = 1; epoch <= epochs; ++epoch) {
    for (const auto& [images, labels] : progress(train, "epoch {}", epoch)) {
      Tape tape;
      const Tensor loss = cross_entropy(model(images), labels);
      tape.backward(loss);
      adamw.step();                       // applies the gradients and clears them
    }
    print("test accuracy {:.4f}", accuracy(model, test));
  }
  save("fashion.safetensors", model);
}
