#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include <temper/data/dataset.hpp>

namespace temper::data {

struct ImageOptions {
  float mean = 0.0f;         ///< of the pixels as numbers from 0 to 1; subtracted
  float deviation = 1.0f;    ///< divided by after that
  std::int64_t classes = 0;  ///< labels must be below; 0 accepts any
};

/// Labelled 8-bit images in memory. Example i is {image f32 [H, W, C], label i64 []}; a pixel x becomes
/// (x / 255 - mean) / deviation when it is asked for. Copies share the images.
class ImageDataset {
 public:
  /// `pixels` are those of images [N, H, W, C] in order.
  /// Throws: ShapeError for numbers of pixels and labels that do not fit the shape; ValueError for a label that is
  /// negative or not below `classes`, or a deviation that is not positive.
  ImageDataset(const Shape& shape, std::vector<std::uint8_t> pixels, std::vector<std::int64_t> labels,
               const ImageOptions& options = {});
  /// From IDX files (.gz or plain): images [N, H, W] or [N, H, W, C], labels [N], both of 8 bits.
  /// Throws: FileError for files that are damaged, of another shape or type, or do not fit each other.
  ImageDataset(const std::filesystem::path& images, const std::filesystem::path& labels,
               const ImageOptions& options = {});

  std::int64_t size() const;
  /// Throws: ValueError for an example that is not there.
  std::array<Tensor, 2> get(std::int64_t i) const;
  std::array<Tensor, 2> batch(std::span<const std::int64_t> indices) const;

  /// [N, H, W, C]
  const Shape& shape() const;
  /// The pixels of image i, [H, W, C].
  std::span<const std::uint8_t> pixels(std::int64_t i) const;
  std::int64_t label(std::int64_t i) const;
  /// What a black pixel becomes.
  float black() const;

 private:
  struct Storage;
  std::shared_ptr<const Storage> storage_;
};

}  // namespace temper::data
