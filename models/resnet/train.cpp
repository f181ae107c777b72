#include <temper/models/resnet/resnet.hpp>
#include <temper/run/classify.hpp>
#include <temper/run/program.hpp>

int main(int argc, char** argv) {
  using namespace temper;
  using namespace temper::models;
  std::int64_t depth = 20, width = 16;
  double smoothing = 0.1;
  bool recompute = false;
  return run_program(
      {.name = "resnet",
       .description = "Trains a residual network on Fashion-MNIST.",
       .defaults = {.epochs = 15, .optimizer = "sgd", .lr = "0.2", .warmup = "20%", .l2 = 5e-4, .clip_norm = 0}},
      argc, argv,
      [&](OwnOptions& own) {
        own.add("--depth", depth, "6 n + 2: 20, 32, 56");
        own.add("--width", width, "channels of the first stage");
        own.flag("--recompute", recompute, "recomputes each block in backward, to save memory");
        own.add("--label-smoothing", smoothing, "fraction of each label that is spread over all classes");
      },
      [&](Run& run) {
        const std::string& folder = run.options().data;
        data::Loader train(data::Augmented(data::FashionMnist(data::Split::train, {.path = folder}),
                                           {data::RandomCrop{.padding = 2}, data::RandomHorizontalFlip{}}),
                           run.loader_options());
        data::Loader test(data::FashionMnist(data::Split::test, {.path = folder}), {.batch_size = 500});

        ResNetConfig config = resnet_cifar(static_cast<int>(depth));
        config.width = width;
        config.channels = 1;
        config.recompute = recompute;
        const ResNet model(config);
        train_classifier(run, model, train, test, {.label_smoothing = static_cast<float>(smoothing)});
        sample_mistakes(run, model, test.dataset());
      });
}
