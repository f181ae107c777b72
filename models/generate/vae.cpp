#include <temper/models/generate/vae.hpp>

#include <string>

#include <temper/temper.hpp>

namespace temper::models {

namespace {

constexpr std::int64_t side = 28, small = 7;  // pixels; two convolutions halve them twice

}  // namespace

Vae::Vae(const VaeConfig& config)
    : config_(config),
      down1_(1, config.channels, {.kernel = 3, .stride = 2, .padding = 1}),
      down2_(config.channels, 2 * config.channels, {.kernel = 3, .stride = 2, .padding = 1}),
      code_(small * small * 2 * config.channels, 2 * config.latent),
      back_(config.latent, small * small * 2 * config.channels),
      up1_(2 * config.channels, config.channels, {.kernel = 4, .stride = 2, .padding = 1}),
      up2_(config.channels, 1, {.kernel = 4, .stride = 2, .padding = 1}) {}

Vae::Code Vae::encode(const Tensor& images) const {
  if (images.rank() != 4 || images.shape() != Shape{images.size(0), side, side, 1}) {
    throw ShapeError("Vae: images " + to_string(images.shape()) + ", expected [N, 28, 28, 1]");
  }
  const Tensor code = code_(flatten(relu(down2_(relu(down1_(images))))));
  return {slice(code, 1, 0, config_.latent), slice(code, 1, config_.latent, 2 * config_.latent)};
}

Tensor Vae::decode(const Tensor& codes) const {
  const Tensor features = reshape(back_.relu(codes), {-1, small, small, 2 * config_.channels});
  return up2_(relu(up1_(features)));
}

Tensor Vae::loss(const Tensor& images) const {
  for (const float pixel : images.values<float>()) {
    if (!(pixel >= 0 && pixel <= 1)) {
      throw ValueError(formatted("Vae: a pixel is {:.9g}, expected 0 to 1", pixel));
    }
  }
  const auto [mean, log_variance] = encode(images);
  const Tensor codes = mean + exp(log_variance * 0.5) * normal(mean.shape());
  const Tensor pixels = bce_with_logits(decode(codes), images, {.reduction = Reduction::sum});
  // From the logarithm, so that variances too small for their reciprocals have gradients, too.
  const Tensor divergence = sum(square(mean) + exp(log_variance) - 1 - log_variance) * 0.5;
  return (pixels + divergence) / static_cast<double>(images.size(0));
}

Tensor Vae::sample(std::int64_t count) const {
  const NoTape unrecorded;
  return sigmoid(decode(normal({count, config_.latent})));
}

void Vae::members(nn::Members& m) const {
  m("down1", down1_);
  m("down2", down2_);
  m("code", code_);
  m("back", back_);
  m("up1", up1_);
  m("up2", up2_);
}

}  // namespace temper::models
