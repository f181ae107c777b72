#include <temper/models/generate/unet.hpp>

#include <cmath>
#include <string>
#include <vector>

#include <temper/temper.hpp>

namespace temper::models {

namespace {

constexpr std::int64_t groups = 8;

UnetConfig checked(const UnetConfig& config) {
  if (config.images < 1 || config.channels < groups || config.channels % groups != 0) {
    throw ValueError("Unet: images of " + std::to_string(config.images) + " channels and " +
                     std::to_string(config.channels) + " inside, expected at least 1, and a multiple of 8");
  }
  return config;
}

nn::Conv2d conv3(std::int64_t in, std::int64_t out, std::int64_t stride = 1) {
  return nn::Conv2d(in, out, {.kernel = 3, .stride = stride, .padding = 1});
}

Tensor doubled(const Tensor& x) { return interpolate(x, {2 * x.size(1), 2 * x.size(2)}); }

}  // namespace

Tensor step_embedding(const Tensor& times, std::int64_t features) {
  if (features < 4 || features % 2 != 0) {
    throw ValueError("step_embedding: " + std::to_string(features) + " features, expected an even number from 4 on");
  }
  const std::int64_t half = features / 2;
  Tensor frequencies = empty({half});
  for (std::int64_t i = 0; i < half; ++i) {
    const double share = static_cast<double>(i) / static_cast<double>(half - 1);
    frequencies.mutable_data<float>()[i] = static_cast<float>(std::pow(1e-4, share));
  }
  const Tensor angles = unsqueeze(to(times, Dtype::f32), -1) * frequencies;
  return concat({sin(angles), cos(angles)}, 1);
}

UnetBlock::UnetBlock(std::int64_t in, std::int64_t out, std::int64_t time)
    : norm1_(groups, in), norm2_(groups, out), conv1_(conv3(in, out)), conv2_(conv3(out, out)), time_(time, out) {
  if (in != out) shortcut_ = std::make_unique<nn::Conv2d>(in, out, 1);
}

Tensor UnetBlock::operator()(const Tensor& x, const Tensor& step) const {
  const Tensor shift = time_(silu(step));  // [N, out]
  const Tensor y = conv1_(silu(norm1_(x))) + reshape(shift, {shift.size(0), 1, 1, shift.size(1)});
  return conv2_(silu(norm2_(y))) + (shortcut_ ? (*shortcut_)(x) : x);
}

void UnetBlock::members(nn::Members& m) const {
  m("norm1", norm1_);
  m("conv1", conv1_);
  m("time", time_);
  m("norm2", norm2_);
  m("conv2", conv2_);
  m("shortcut", shortcut_);
}

Unet::Unet(const UnetConfig& config)
    : config_(checked(config)),
      time1_(config.channels, 4 * config.channels),
      time2_(4 * config.channels, 4 * config.channels),
      first_(conv3(config.images, config.channels)),
      whole_(config.channels, config.channels, 4 * config.channels),
      half_(config.channels, 2 * config.channels, 4 * config.channels),
      quarter_(2 * config.channels, 2 * config.channels, 4 * config.channels),
      middle_(2 * config.channels, 2 * config.channels, 4 * config.channels),
      up_half_(4 * config.channels, 2 * config.channels, 4 * config.channels),
      up_whole_(3 * config.channels, config.channels, 4 * config.channels),
      down1_(conv3(config.channels, config.channels, 2)),
      down2_(conv3(2 * config.channels, 2 * config.channels, 2)),
      norm_(groups, config.channels),
      last_(conv3(config.channels, config.images)) {
  last_.weight.set_value(zeros(last_.weight.shape()));
  last_.bias.set_value(zeros(last_.bias.shape()));
}

Tensor Unet::operator()(const Tensor& x, const Tensor& times) const {
  if (x.rank() != 4 || x.size(1) % 4 != 0 || x.size(2) % 4 != 0 || x.size(3) != config_.images ||
      times.shape() != Shape{x.size(0)}) {
    throw ShapeError("Unet: images " + to_string(x.shape()) + " and times " + to_string(times.shape()) +
                     ", expected [N, H, W, " + std::to_string(config_.images) +
                     "] with sides that are multiples of 4, and [N]");
  }
  const Tensor step = time2_(time1_.silu(step_embedding(times, config_.channels)));
  const Tensor whole = whole_(first_(x), step);
  const Tensor half = half_(down1_(whole), step);
  const Tensor quarter = middle_(quarter_(down2_(half), step), step);
  const Tensor up_half = up_half_(concat({doubled(quarter), half}, -1), step);
  const Tensor up_whole = up_whole_(concat({doubled(up_half), whole}, -1), step);
  return last_(silu(norm_(up_whole)));
}

void Unet::members(nn::Members& m) const {
  m("time1", time1_);
  m("time2", time2_);
  m("first", first_);
  m("whole", whole_);
  m("down1", down1_);
  m("half", half_);
  m("down2", down2_);
  m("quarter", quarter_);
  m("middle", middle_);
  m("up_half", up_half_);
  m("up_whole", up_whole_);
  m("norm", norm_);
  m("last", last_);
}

}  // namespace temper::models
