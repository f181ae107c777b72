#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include <temper/models/generate/diffusion.hpp>
#include <temper/models/generate/unet.hpp>
#include <temper/models/generate/vae.hpp>
#include <temper/temper.hpp>

#include "tests/data/files.hpp"
#include "tests/models/directional.hpp"

using namespace temper;
using models::Diffusion;
using models::Unet;
using models::UnetBlock;
using models::Vae;
using temper_test::error_of;

namespace {

double distance(const Tensor& a, const Tensor& b) { return max(abs(a - b)).item(); }

Tensor times_of(std::vector<std::int64_t> times) {
  return from(std::span<const std::int64_t>(times), {static_cast<std::int64_t>(times.size())});
}

}  // namespace

TEST_CASE("an autoencoder's loss is the pixels' cross entropy and the divergence of the codes") {
  manual_seed(3);
  const Vae model({.channels = 4, .latent = 3});
  const Tensor images = uniform({2, 28, 28, 1});
  const auto [mean, log_variance] = model.encode(images);
  REQUIRE(mean.shape() == Shape{2, 3});
  const Tensor deviation = exp(log_variance * 0.5);
  manual_seed(11);
  const double found = model.loss(images).item();
  manual_seed(11);
  const Tensor logits = model.decode(mean + deviation * normal({2, 3}));
  REQUIRE(logits.shape() == Shape{2, 28, 28, 1});
  double expected = 0;
  for (std::int64_t i = 0; i < logits.numel(); ++i) {
    const double z = logits.data<float>()[i], x = images.data<float>()[i];
    expected += std::log1p(std::exp(-std::abs(z))) + std::max(z, 0.0) - x * z;
  }
  for (std::int64_t i = 0; i < 6; ++i) {
    const double m = mean.data<float>()[i], s = deviation.data<float>()[i];
    expected += (m * m + s * s - 1) / 2 - std::log(s);
  }
  CHECK(found == doctest::Approx(expected / 2).epsilon(1e-5));
  const Tensor samples = model.sample(5);
  REQUIRE(samples.shape() == Shape{5, 28, 28, 1});
  CHECK(min(samples).item() >= 0);
  CHECK(max(samples).item() <= 1);
  CHECK(error_of([&] {
          model.encode(zeros({2, 28, 27, 1}));
        }) == "Vae: images [2, 28, 27, 1], expected [N, 28, 28, 1]");
}

TEST_CASE("an autoencoder and a U-Net have the gradients that differences show") {
  manual_seed(4);
  const Vae vae({.channels = 2, .latent = 2});
  const Tensor images = uniform({6, 28, 28, 1});
  test::check_directional(vae.parameters(),
                          [&] {
                            manual_seed(5);  // the same codes each time
                            return reshape(vae.loss(images), {1});
                          },
                          {.directions = 4, .gate = 1e-3});

  const Unet unet({.images = 2, .channels = 8});
  for (const Parameter& p : unet.parameters()) {
    if (p.name().starts_with("last")) Tensor(p.value()).copy_from(normal(p.shape(), 0.0f, 0.2f));
  }
  const Tensor x = normal({3, 8, 12, 2}), times = times_of({0, 400, 999});
  REQUIRE(unet(x, times).shape() == x.shape());
  test::check_directional(unet.parameters(), [&] { return square(unet(x, times)); }, {.directions = 4, .gate = 1e-3});
  CHECK(distance(unet(x, times), unet(x, times_of({1, 400, 999}))) > 1e-4);
  CHECK(error_of([&] {
          unet(zeros({1, 8, 10, 2}), times_of({0}));
        }) ==
        "Unet: images [1, 8, 10, 2] and times [1], expected [N, H, W, 2] with sides that are multiples of 4, and [N]");
  CHECK(error_of([] { Unet({.channels = 12}); }) ==
        "Unet: images of 1 channels and 12 inside, expected at least 1, and a multiple of 8");
}

TEST_CASE("a U-Net begins by finding no noise") {
  manual_seed(6);
  const Unet unet({.channels = 8});
  CHECK(max(abs(unet(normal({2, 8, 8, 1}), times_of({3, 4})))).item() == 0);
}

TEST_CASE("the embedding of a step has sines and cosines of falling frequencies") {
  const Tensor embedded = models::step_embedding(times_of({3}), 6);
  REQUIRE(embedded.shape() == Shape{1, 6});
  const double expected[] = {std::sin(3.0), std::sin(0.03), std::sin(0.0003),
                             std::cos(3.0), std::cos(0.03), std::cos(0.0003)};
  for (std::size_t i = 0; i < 6; ++i) CHECK(embedded.values<float>()[i] == doctest::Approx(expected[i]));
}

TEST_CASE("the share of the image falls from nearly 1 to nearly 0, and mixing keeps the variance") {
  const Diffusion diffusion;
  CHECK(diffusion.share(0) > 0.9999);
  CHECK(diffusion.share(999) < 1e-5);
  CHECK(diffusion.share(999) > 0);
  for (std::int64_t t = 1; t < 1000; ++t) REQUIRE(diffusion.share(t) < diffusion.share(t - 1));
  // Improved DDPM, equation 17, where no beta is cut off.
  const auto curve = [](double t) { return std::pow(std::cos((t / 1000 + 0.008) / 1.008 * M_PI / 2), 2); };
  CHECK(diffusion.share(499) == doctest::Approx(curve(500) / curve(0)));
  const Tensor images = full({2, 3}, 2.0f), noise = full({2, 3}, 5.0f);
  const Tensor mixed = diffusion.mix(images, noise, times_of({10, 600}));
  for (const std::int64_t row : {0, 1}) {
    const double share = diffusion.share(row == 0 ? 10 : 600);
    CHECK(mixed.data<float>()[row * 3] == doctest::Approx(2 * std::sqrt(share) + 5 * std::sqrt(1 - share)));
  }
  CHECK(error_of([&] {
          diffusion.mix(images, noise, times_of({0, 1000}));
        }) == "Diffusion: step 1000, expected 0 to 999");
  CHECK(error_of([&] { diffusion.mix(images, noise, times_of({0})); }) ==
        "Diffusion: images [2, 3], noise [2, 3] and times [1], expected [N, ...] twice, and [N]");
}

TEST_CASE("who knows the noise gets the image back, in few steps or in all, with new noise or without") {
  const Diffusion diffusion({.steps = 100});
  const Tensor image = from({-0.5, 0.25, 1, -1}, {1, 4});
  // The noise in x, if the image is the one above.
  const auto knowing = [&](const Tensor& x, const Tensor& times) {
    const double share = diffusion.share(times.values<std::int64_t>()[0]);
    return (x - image * std::sqrt(share)) / std::sqrt(1 - share);
  };
  for (const std::int64_t steps : {1, 7, 100}) {
    for (const double noise : {0.0, 1.0}) {
      CAPTURE(steps);
      CAPTURE(noise);
      manual_seed(7);
      // The first step divides the rounding of x by the root of the last share; further steps mend that.
      const double bound = steps == 1 ? 5e-7 / std::sqrt(diffusion.share(99)) : 1e-5;
      CHECK(distance(diffusion.sample(knowing, {3, 4}, {.steps = steps, .noise = noise}), image) < bound);
    }
  }
  // Of a standard normal distribution the best guess of the noise is sqrt(1 - a) x, and samples have its variance;
  // values beyond the range of images are cut off, so noise of a third of the deviation is used.
  const double variance = 0.1;
  const auto best = [&](const Tensor& x, const Tensor& times) {
    const double share = diffusion.share(times.values<std::int64_t>()[0]);
    return x * (std::sqrt(1 - share) / (share * variance + 1 - share));
  };
  for (const double noise : {0.0, 1.0}) {
    manual_seed(8);
    const Tensor samples = diffusion.sample(best, {1, 20000}, {.steps = 100, .noise = noise});
    CHECK(mean(square(samples)).item() == doctest::Approx(variance).epsilon(0.06));
  }
  CHECK(error_of([&] {
          diffusion.sample(best, {1, 4}, {.steps = 101});
        }) == "Diffusion::sample: 101 steps and noise 0, expected 1 to 100, and 0 to 1");
  CHECK(diffusion.loss([](const Tensor& x, const Tensor&) { return zeros(x.shape()); }, zeros({500, 8})).item() ==
        doctest::Approx(1).epsilon(0.1));
}
