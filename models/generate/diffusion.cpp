#include <temper/models/generate/diffusion.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include <temper/temper.hpp>

namespace temper::models {

Diffusion::Diffusion(const DiffusionOptions& options) : options_(options) {
  if (options.steps < 2) {
    throw ValueError("Diffusion: " + std::to_string(options.steps) + " steps, expected at least 2");
  }
  // The product of 1 - beta, with each beta at most 0.999, so that the last steps can be undone.
  const auto curve = [&](std::int64_t t) {
    const double part = (static_cast<double>(t) / static_cast<double>(options.steps) + 0.008) / 1.008;
    return std::pow(std::cos(part * std::numbers::pi / 2), 2);
  };
  double share = 1;
  for (std::int64_t t = 0; t < options.steps; ++t) {
    share *= std::max(curve(t + 1) / curve(t), 0.001);
    shares_.push_back(share);
  }
}

double Diffusion::share(std::int64_t t) const {
  if (t < 0 || t >= options_.steps) {
    throw ValueError("Diffusion: step " + std::to_string(t) + ", expected 0 to " + std::to_string(options_.steps - 1));
  }
  return shares_[static_cast<std::size_t>(t)];
}

Tensor Diffusion::mix(const Tensor& images, const Tensor& noise, const Tensor& times) const {
  if (images.rank() < 1 || images.shape() != noise.shape() || times.shape() != Shape{images.size(0)}) {
    throw ShapeError("Diffusion: images " + to_string(images.shape()) + ", noise " + to_string(noise.shape()) +
                     " and times " + to_string(times.shape()) + ", expected [N, ...] twice, and [N]");
  }
  std::vector<std::int64_t> column(static_cast<std::size_t>(images.rank()), 1);
  column.front() = images.size(0);
  std::vector<float> of_image, of_noise;
  for (const std::int64_t t : times.values<std::int64_t>()) {
    of_image.push_back(static_cast<float>(std::sqrt(share(t))));
    of_noise.push_back(static_cast<float>(std::sqrt(1 - share(t))));
  }
  const auto factors = [&](const std::vector<float>& values) {
    return reshape(from(std::span<const float>(values), {images.size(0)}), std::span<const std::int64_t>(column));
  };
  return factors(of_image) * images + factors(of_noise) * noise;
}

Tensor Diffusion::loss(const Denoiser& network, const Tensor& images) const {
  const std::int64_t count = images.size(0);
  const Tensor drawn = uniform({count});
  Tensor times = empty({count}, Dtype::i64);
  std::ranges::transform(drawn.values<float>(), times.mutable_data<std::int64_t>(), [&](float x) {
    return std::min(static_cast<std::int64_t>(static_cast<double>(x) * static_cast<double>(options_.steps)),
                    options_.steps - 1);
  });
  const Tensor noise = normal(images.shape());
  return mse_loss(network(mix(images, noise, times), times), noise);
}

Tensor Diffusion::sample(const Denoiser& network, const Shape& shape, const DiffusionSampling& sampling) const {
  if (sampling.steps < 1 || sampling.steps > options_.steps || !(sampling.noise >= 0 && sampling.noise <= 1)) {
    throw ValueError(formatted("Diffusion::sample: {} steps and noise {}, expected 1 to {}, and 0 to 1", sampling.steps,
                               sampling.noise, options_.steps));
  }
  const NoTape unrecorded;
  Tensor x = normal(shape);
  for (std::int64_t i = sampling.steps; i-- > 0;) {
    const auto time_of = [&](std::int64_t step) { return (step + 1) * options_.steps / sampling.steps - 1; };
    Tensor times = empty({shape[0]}, Dtype::i64);
    std::ranges::fill(times.mutable_values<std::int64_t>(), time_of(i));
    const double now = share(time_of(i)), next = i > 0 ? share(time_of(i - 1)) : 1.0;
    const Tensor noise = network(x, times);
    // The image that this noise implies; values outside its range are cut off, which keeps errors from growing.
    const Tensor image = clamp((x - noise * std::sqrt(1 - now)) / std::sqrt(now), -1.0f, 1.0f);
    const Tensor implied = (x - image * std::sqrt(now)) / std::sqrt(1 - now);
    const double fresh = sampling.noise * std::sqrt((1 - next) / (1 - now) * (1 - now / next));
    x = image * std::sqrt(next) + implied * std::sqrt(std::max(0.0, 1 - next - fresh * fresh));
    if (fresh > 0) x += normal(shape) * fresh;
  }
  return x;
}

}  // namespace temper::models
