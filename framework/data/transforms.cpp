#include <temper/data/transforms.hpp>

#include <algorithm>
#include <cmath>

#include "framework/core/format_internal.hpp"

namespace temper::data {

namespace {

struct Image {
  std::int64_t height, width, channels;
};

Image checked(const char* name, const Tensor& image) {
  if (image.dtype() != Dtype::f32 || image.rank() != 3 || image.numel() == 0) {
    fail<ShapeError>("{}: {} {}, expected an image f32 [H, W, C]", name, image.dtype(), image.shape());
  }
  return {image.size(0), image.size(1), image.size(2)};
}

void check_probability(const char* name, double p) {
  if (!(p >= 0.0 && p <= 1.0)) fail<ValueError>("{}: p {}, expected 0 to 1", name, p);
}

/// Pixels to write to: the image's own when nobody else sees them.
Tensor owned(Tensor image) { return image.unique() ? std::move(image) : image.clone(); }

}  // namespace

Tensor RandomCrop::operator()(const Tensor& image, Draw& draw) const {
  const auto [height, width, channels] = checked("RandomCrop", image);
  if (size < 0 || padding < 0) {
    fail<ValueError>("RandomCrop: size {} and padding {}, expected 0 or more", size, padding);
  }
  const std::int64_t out_height = size == 0 ? height : size, out_width = size == 0 ? width : size;
  const std::int64_t rows_free = height + 2 * padding - out_height, columns_free = width + 2 * padding - out_width;
  if (rows_free < 0 || columns_free < 0) {
    fail<ValueError>("RandomCrop: size {} of image {} with padding {}", size, image.shape(), padding);
  }
  // Where the crop's first pixel lies in the image; negative in the padding.
  const std::int64_t top = draw.below(rows_free + 1) - padding, left = draw.below(columns_free + 1) - padding;

  Tensor crop = empty({out_height, out_width, channels});
  const float* in = image.data<float>();
  float* out = crop.mutable_data<float>();
  const float around = fill.value_or(draw.black());
  const std::int64_t begin = std::clamp<std::int64_t>(-left, 0, out_width);
  const std::int64_t end = std::clamp<std::int64_t>(width - left, begin, out_width);
  for (std::int64_t y = 0; y < out_height; ++y, out += out_width * channels) {
    const std::int64_t row = y + top;
    if (row < 0 || row >= height || begin == end) {
      std::fill_n(out, out_width * channels, around);
      continue;
    }
    const float* from = in + (row * width + begin + left) * channels;
    float* rest = std::copy_n(from, (end - begin) * channels, std::fill_n(out, begin * channels, around));
    std::fill_n(rest, (out_width - end) * channels, around);
  }
  return crop;
}

Tensor RandomHorizontalFlip::operator()(Tensor image, Draw& draw) const {
  const auto [height, width, channels] = checked("RandomHorizontalFlip", image);
  check_probability("RandomHorizontalFlip", p);
  if (draw.uniform() >= p) return image;
  Tensor flipped = owned(std::move(image));
  float* row = flipped.mutable_data<float>();
  for (std::int64_t y = 0; y < height; ++y, row += width * channels) {
    std::reverse(row, row + width * channels);  // which also turns the channels of each pixel round
    if (channels == 1) continue;
    for (std::int64_t x = 0; x < width; ++x) std::reverse(row + x * channels, row + (x + 1) * channels);
  }
  return flipped;
}

Tensor Cutout::operator()(Tensor image, Draw& draw) const {
  const auto [height, width, channels] = checked("Cutout", image);
  check_probability("Cutout", p);
  if (size < 0) fail<ValueError>("Cutout: size {}, expected 0 or more", size);
  const bool wanted = draw.uniform() < p;
  const std::int64_t top = draw.below(height) - size / 2, left = draw.below(width) - size / 2;
  if (!wanted) return image;
  const std::int64_t begin = std::max<std::int64_t>(left, 0), end = std::min(left + size, width);
  if (begin >= end) return image;
  Tensor cut = owned(std::move(image));
  float* pixels = cut.mutable_data<float>();
  for (std::int64_t y = std::max<std::int64_t>(top, 0); y < std::min(top + size, height); ++y) {
    std::fill_n(pixels + (y * width + begin) * channels, (end - begin) * channels, fill);
  }
  return cut;
}

Tensor Normalize::operator()(Tensor image, Draw&) const {
  const auto [height, width, channels] = checked("Normalize", image);
  const auto count = static_cast<std::int64_t>(mean.size());
  if (mean.size() != deviation.size() || (count != 1 && count != channels)) {
    fail<ValueError>("Normalize: {} means and {} deviations for image {}, expected one of each or {}", mean.size(),
                     deviation.size(), image.shape(), channels);
  }
  for (const float d : deviation) {
    if (!(d > 0.0f)) fail<ValueError>("Normalize: deviation {}, expected above 0", d);
  }
  Tensor normalized = owned(std::move(image));
  float* pixel = normalized.mutable_data<float>();
  for (std::int64_t i = 0; i < height * width; ++i) {
    for (std::int64_t c = 0; c < channels; ++c, ++pixel) {
      const auto which = static_cast<std::size_t>(count == 1 ? 0 : c);
      *pixel = (*pixel - mean[which]) / deviation[which];
    }
  }
  return normalized;
}

Tensor Resize::operator()(const Tensor& image, Draw&) const {
  const Image from_size = checked("Resize", image);
  const std::int64_t in_height = from_size.height, in_width = from_size.width, channels = from_size.channels;
  if (height < 1 || width < 1) fail<ValueError>("Resize: to {} x {}, expected at least 1 x 1", height, width);
  if (height == in_height && width == in_width) return image;

  // Between which two rows (columns) the centre of a new one lies, and how far from the first.
  struct Between {
    std::int64_t first, second;
    float share;
  };
  const auto between = [](std::int64_t i, std::int64_t from, std::int64_t to) -> Between {
    const double centre = (static_cast<double>(i) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5;
    const double inside = std::max(centre, 0.0);
    const auto first = std::min(static_cast<std::int64_t>(inside), from - 1);
    return {first, std::min(first + 1, from - 1), static_cast<float>(inside - static_cast<double>(first))};
  };
  Tensor resized = empty({height, width, channels});
  const float* in = image.data<float>();
  float* out = resized.mutable_data<float>();
  for (std::int64_t y = 0; y < height; ++y) {
    const Between row = between(y, in_height, height);
    for (std::int64_t x = 0; x < width; ++x) {
      const Between column = between(x, in_width, width);
      for (std::int64_t c = 0; c < channels; ++c) {
        const auto at = [&](std::int64_t r, std::int64_t q) { return in[(r * in_width + q) * channels + c]; };
        const float upper =
            at(row.first, column.first) * (1 - column.share) + at(row.first, column.second) * column.share;
        const float lower =
            at(row.second, column.first) * (1 - column.share) + at(row.second, column.second) * column.share;
        *out++ = upper * (1 - row.share) + lower * row.share;
      }
    }
  }
  return resized;
}

}  // namespace temper::data
