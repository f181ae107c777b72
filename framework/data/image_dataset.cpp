#include <temper/data/image_dataset.hpp>

#include <algorithm>

#include <temper/data/idx.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"

namespace temper::data {

struct ImageDataset::Storage {
  Shape shape;
  std::vector<std::uint8_t> pixels;
  std::vector<std::int64_t> labels;
  std::array<float, 256> normalized;  // what each pixel value becomes: one load instead of two divisions
};

ImageDataset::ImageDataset(const Shape& shape, std::vector<std::uint8_t> pixels, std::vector<std::int64_t> labels,
                           const ImageOptions& options) {
  if (shape.rank() != 4 || shape.numel() != static_cast<std::int64_t>(pixels.size())) {
    fail<ShapeError>("images: {} pixels for shape {}, expected [N, H, W, C] with as many elements", pixels.size(),
                     shape);
  }
  if (static_cast<std::int64_t>(labels.size()) != shape[0]) {
    fail<ShapeError>("images: {} labels for {} images", labels.size(), shape[0]);
  }
  if (!(options.deviation > 0.0f)) fail<ValueError>("images: deviation {}, expected above 0", options.deviation);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0) fail<ValueError>("images: label {} of image {}, expected 0 or more", labels[i], i);
    if (options.classes > 0 && labels[i] >= options.classes) {
      fail<ValueError>("images: label {} of image {}, expected 0 to {}", labels[i], i, options.classes - 1);
    }
  }
  auto storage = std::make_shared<Storage>(Storage{shape, std::move(pixels), std::move(labels), {}});
  for (std::size_t x = 0; x < storage->normalized.size(); ++x) {
    storage->normalized[x] = (static_cast<float>(x) / 255.0f - options.mean) / options.deviation;
  }
  storage_ = std::move(storage);
}

namespace {

IdxArray read_bytes(const std::filesystem::path& path, const char* expected, int min_rank, int max_rank) {
  IdxArray array = read_idx(path);
  if (array.type != IdxType::u8 || array.shape.rank() < min_rank || array.shape.rank() > max_rank) {
    fail<FileError>("{}: holds {} of type {:02x}, expected {} of type 08", temper::detail::printable(path.native()),
                    array.shape, static_cast<int>(array.type), expected);
  }
  return array;
}

ImageDataset from_idx(const std::filesystem::path& image_path, const std::filesystem::path& label_path,
                      const ImageOptions& options) {
  const IdxArray images = read_bytes(image_path, "images [N, H, W] or [N, H, W, C]", 3, 4);
  const IdxArray labels = read_bytes(label_path, "labels [N]", 1, 1);
  if (images.shape[0] != labels.shape[0]) {
    fail<FileError>("{} has {} images, {} has {} labels", temper::detail::printable(image_path.native()),
                    images.shape[0], temper::detail::printable(label_path.native()), labels.shape[0]);
  }
  const auto number = [](std::byte b) { return std::to_integer<std::uint8_t>(b); };
  std::vector<std::uint8_t> pixels(images.bytes.size());
  std::ranges::transform(images.bytes, pixels.begin(), number);
  std::vector<std::int64_t> classes(labels.bytes.size());
  std::ranges::transform(labels.bytes, classes.begin(), number);
  try {
    return {images.shape.rank() == 3 ? images.shape.with_axis(3, 1) : images.shape, std::move(pixels),
            std::move(classes), options};
  } catch (const ValueError& error) {
    fail<FileError>("{}: {}", temper::detail::printable(label_path.native()), error.what());
  }
}

}  // namespace

ImageDataset::ImageDataset(const std::filesystem::path& images, const std::filesystem::path& labels,
                           const ImageOptions& options)
    : ImageDataset(from_idx(images, labels, options)) {}

std::int64_t ImageDataset::size() const { return storage_->shape[0]; }
const Shape& ImageDataset::shape() const { return storage_->shape; }

std::span<const std::uint8_t> ImageDataset::pixels(std::int64_t i) const {
  if (i < 0 || i >= size()) fail<ValueError>("images: image {} of {}", i, size());
  const std::size_t count = storage_->pixels.size() / storage_->labels.size();
  return std::span(storage_->pixels).subspan(static_cast<std::size_t>(i) * count, count);
}

std::int64_t ImageDataset::label(std::int64_t i) const {
  if (i < 0 || i >= size()) fail<ValueError>("images: image {} of {}", i, size());
  return storage_->labels[static_cast<std::size_t>(i)];
}

float ImageDataset::black() const { return storage_->normalized[0]; }

std::array<Tensor, 2> ImageDataset::get(std::int64_t i) const {
  const auto [image, label] = batch({&i, 1});
  return {image.view(shape().without_axis(0)), label.view({})};
}

std::array<Tensor, 2> ImageDataset::batch(std::span<const std::int64_t> indices) const {
  const auto count = static_cast<std::int64_t>(indices.size());
  Tensor images = empty(shape().resized(0, count));
  Tensor labels = empty({count}, Dtype::i64);
  float* image = images.mutable_data<float>();
  std::int64_t* label_out = labels.mutable_data<std::int64_t>();
  const float* normalized = storage_->normalized.data();
  for (const std::int64_t i : indices) {
    for (const std::uint8_t x : pixels(i)) *image++ = normalized[x];
    *label_out++ = label(i);
  }
  return {std::move(images), std::move(labels)};
}

}  // namespace temper::data
