// A program with its own training loop, for the tests that kill and resume: two adversarial networks, two loaders and
// its own state.

#include <temper/run/loop.hpp>
#include <temper/run/program.hpp>

using namespace temper;

namespace {

void train(Run& run) {
  const std::string& folder = run.options().data;
  data::Loader images(data::FashionMnist(data::Split::train, {.path = folder}), run.loader_options());
  data::Loader others(data::FashionMnist(data::Split::train, {.path = folder}), {.batch_size = 5, .shuffle = true});
  const nn::Sequential generator(nn::Linear(4, 16), nn::ReLU(), nn::Dropout(0.1), nn::Linear(16, 784));
  const nn::Sequential critic(nn::Linear(784, 16), nn::ReLU(), nn::Dropout(0.1), nn::Linear(16, 1));
  const auto g = run.optimizer(generator, images.batches()), c = run.optimizer(critic, images.batches());
  double balance = 1.0;
  std::int64_t turns = 0;
  Tensor mean_image = zeros({784});

  Loop loop(run);
  loop.model("generator", generator).model("critic", critic).optimizer("generator", *g).optimizer("critic", *c);
  loop.state("balance", balance).state("turns", turns).state("mean image", mean_image);
  auto real = loop.batches("images", images);
  auto more = loop.batches("others", others);
  loop.evaluate([&] {
    const Tensor score = mean(critic(generator(normal({8, 4}))));
    return Metrics{{"test score", score.item()}, {"test balance", balance}};
  });
  while (loop.next()) {
    const Tensor truth = reshape(std::get<0>(real.next()), {-1, 784});
    const Tensor other = reshape(std::get<0>(more.next()), {-1, 784});
    for (std::int64_t i = 0; i < 784; ++i) {
      float& at = mean_image.mutable_data<float>()[i];
      at = 0.9f * at + 0.1f * other.data<float>()[i];
    }
    {
      Tape tape;
      const Tensor loss = mean(relu(1.0f - critic(truth - mean_image))) +
                          mean(relu(1.0f + critic(generator(normal({truth.size(0), 4})))));
      tape.backward(loss, critic.parameters());
      c->step();
      loop.log("train/critic loss", loss.item());
    }
    Tape tape;
    const Tensor loss = mean(critic(generator(normal({8, 4})))) * static_cast<float>(-balance);
    tape.backward(loss, generator.parameters());
    g->step();
    loop.log("train/loss", loss.item());
    loop.seen(truth.size(0));
    balance = 0.5 * balance + 0.5 / (1.0 + loss.item() * loss.item());
    ++turns;
  }
}

}  // namespace

int main(int argc, char** argv) {
  return run_program({.name = "pair", .description = "Trains two networks against each other."}, argc, argv, train);
}
