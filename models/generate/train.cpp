#include <algorithm>
#include <string>

#include <temper/models/generate/diffusion.hpp>
#include <temper/models/generate/unet.hpp>
#include <temper/models/generate/vae.hpp>
#include <temper/run/program.hpp>

namespace temper::models {

namespace {

/// The options that only this program has.
struct Options {
  std::string network = "vae";
  VaeConfig vae;
  UnetConfig unet;
  DiffusionOptions diffusion;
  DiffusionSampling sampling;
  std::int64_t columns = 8, evaluated = 2000;

  void add_to(OwnOptions& own) {
    own.choice("--network", network, {"vae", "diffusion"}, "a variational autoencoder, or a denoising diffusion");
    own.add("--channels", unet.channels, "of the first convolutions; of the autoencoder twice as many");
    own.add("--latent", vae.latent, "numbers that describe an image, of the autoencoder");
    own.add("--diffusion-steps", diffusion.steps, "from an image to noise");
    own.add("--sampling-steps", sampling.steps, "from noise to an image");
    own.add("--sampling-noise", sampling.noise, "added in each sampling step: 1 as in DDPM, 0 as in DDIM");
    own.add("--columns", columns, "images in a row of the samples, and rows");
    own.add("--evaluated", evaluated, "images of the test set in an evaluation");
  }
};

/// Images [N, 28, 28, 1] side by side, with a line between them.
Tensor grid(const Tensor& images, std::int64_t columns) {
  const std::int64_t side = images.size(1), cell = side + 1, rows = (images.size(0) + columns - 1) / columns;
  Tensor whole = full({rows * cell - 1, columns * cell - 1, 1}, 1.0f);
  float* const to = whole.mutable_data<float>();
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    const float* const from = images.data<float>() + i * side * side;
    for (std::int64_t y = 0; y < side; ++y) {
      float* const line = to + (i / columns * cell + y) * whole.size(1) + i % columns * cell;
      std::copy_n(from + y * side, side, line);
    }
  }
  return whole;
}

/// Trains with `loss(images)`, and shows `sample(count)`, images from 0 to 1, at each evaluation. The metric is the
/// loss on the test set, always with the same random numbers.
template <class Model, class Loss, class Sample>
void train(Run& run, const Options& options, const Model& model, const std::string& metric, Loss loss, Sample sample) {
  const std::string& folder = run.options().data;
  const data::FashionMnistOptions from_0_to_1{.path = folder, .mean = 0.0f, .deviation = 1.0f};
  data::Loader loader(data::FashionMnist(data::Split::train, from_0_to_1), run.loader_options());
  const data::FashionMnist held_out(data::Split::test, from_0_to_1);
  const std::int64_t size = std::min(options.evaluated, held_out.size()), count = options.columns * options.columns;
  if (size < 1) throw ValueError("--evaluated: " + std::to_string(options.evaluated) + ", expected at least 1");
  if (options.columns < 1) throw ValueError("--columns: " + std::to_string(options.columns) + ", expected at least 1");
  const auto optimizer = run.optimizer(model, loader.batches());
  // While the weights that were evaluated, averages, are in place.
  run.hooks({.evaluated = [&](Step step, const Metrics&) {
    run.sample_image("Samples", "after " + std::to_string(step) + " updates", grid(sample(count), options.columns));
  }});
  run.train(
      model, *optimizer, loader, [&](const auto& batch) { return loss(std::get<0>(batch)); },
      [&] {
        const NoTape unrecorded;
        manual_seed(1);
        double sum = 0;
        data::Loader test(held_out, {.batch_size = std::min<std::int64_t>(size, 250)});
        std::int64_t seen = 0;
        for (const auto& [images, labels] : test) {
          if (seen >= size) break;
          sum += loss(images).item() * static_cast<double>(images.size(0));
          seen += images.size(0);
        }
        return Metrics{{"test " + metric, sum / static_cast<double>(seen), Better::smaller}};
      });
}

void train(Run& run, const Options& options) {
  if (options.network == "vae") {
    const Vae model({.channels = 2 * options.unet.channels, .latent = options.vae.latent});
    train(
        run, options, model, "nats an image", [&](const Tensor& images) { return model.loss(images); },
        [&](std::int64_t count) { return model.sample(count); });
    return;
  }
  const Unet model(options.unet);
  const Diffusion diffusion(options.diffusion);
  const auto network = [&](const Tensor& x, const Tensor& times) { return model(x, times); };
  train(
      run, options, model, "error of the noise",
      [&](const Tensor& images) { return diffusion.loss(network, images * 2 - 1); },
      [&](std::int64_t count) {
        return (diffusion.sample(network, {count, 28, 28, 1}, options.sampling) + 1) * 0.5;
      });
}

}  // namespace

}  // namespace temper::models

int main(int argc, char** argv) {
  using namespace temper;
  using namespace temper::models;
  Program program{.name = "generate",
                  .description = "Trains a variational autoencoder or a denoising diffusion on Fashion-MNIST."};
  program.defaults = {.steps = 1000,
                      .batch_size = 64,
                      .lr = "1e-3",
                      .warmup = "5%",
                      .weight_decay = 0.0,
                      .clip_norm = 1.0,
                      .ema = 0.995,
                      .eval_every = 250};
  program.without = {"--dtype"};
  program.free = {"--columns", "--evaluated", "--sampling-steps", "--sampling-noise"};
  Options options;
  return run_program(
      program, argc, argv, [&](OwnOptions& own) { options.add_to(own); }, [&](Run& run) { train(run, options); });
}
